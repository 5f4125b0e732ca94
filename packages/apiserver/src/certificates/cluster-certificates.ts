import { X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Clock, systemCode, writeFileAtomic } from "@boxship/base";
import { MASTERS } from "../access/authorize.ts";
import { issueCertificate, type KeyPair, makeAuthority } from "./issue-certificate.ts";

export interface CertificatesOptions {
  /** Made with mode 0700 if it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** Names and addresses that clients may use besides the host's own. */
  readonly names?: readonly string[];
  /** The machine's own addresses. @default those of its interfaces */
  readonly addresses?: readonly string[];
  /** The address of the service `kubernetes`. @default "10.96.0.1" */
  readonly serviceAddress?: string;
  /** The zone of the cluster's names. @default "cluster.local" */
  readonly clusterDomain?: string;
}

export interface ClusterCertificates {
  /** PEM of the authority that vouches for servers and clients. */
  readonly authority: string;
  /** The same with its key, for what signs certificates in the cluster. */
  readonly signer: KeyPair;
  readonly server: KeyPair;
  /** Of `kubernetes-admin` in system:masters. */
  readonly admin: KeyPair;
  /** Vouches for those who may say in headers who asks, and for nobody else. */
  readonly frontProxy: FrontProxy;
}

export interface FrontProxy {
  /** PEM. */
  readonly authority: string;
  /** What we are known by to servers behind us. */
  readonly client: KeyPair;
}

/** The common name of a front proxy. */
export const FRONT_PROXY_CLIENT = "front-proxy-client";

/** A certificate is made anew when it has less time left. */
const RENEWED_BEFORE_MS = 30 * 24 * 3600 * 1000;

/**
 * The cluster's certificates: made at the first start; the server's again when the host's names or addresses are no
 * longer those that it names, and all when they near their end.
 */
export async function clusterCertificates(options: CertificatesOptions): Promise<ClusterCertificates> {
  const { directory, clock } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const now = clock.now();
  const authority =
    (await readPair(directory, "ca")) ?? (await writePair(directory, "ca", await makeAuthority("boxship-ca", now)));
  const hosts = serverHosts(options);
  const server = await keepOr(options, authority, "apiserver", (certificate) => namesAll(certificate, hosts), {
    commonName: "kube-apiserver",
    usage: "server",
    names: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
  });
  const admin = await keepOr(options, authority, "admin", () => true, {
    commonName: "kubernetes-admin",
    organizations: [MASTERS],
    usage: "client",
  });
  return {
    authority: authority.certificate,
    signer: authority,
    server,
    admin,
    frontProxy: await frontProxy(options),
  };
}

async function frontProxy(options: CertificatesOptions): Promise<FrontProxy> {
  const { directory, clock } = options;
  const authority =
    (await readPair(directory, "front-proxy-ca")) ??
    (await writePair(directory, "front-proxy-ca", await makeAuthority("boxship-front-proxy-ca", clock.now())));
  const client = await keepOr(options, authority, "front-proxy-client", () => true, {
    commonName: FRONT_PROXY_CLIENT,
    usage: "client",
  });
  return { authority: authority.certificate, client };
}

async function keepOr(
  { directory, clock }: CertificatesOptions,
  authority: KeyPair,
  name: string,
  fits: (certificate: X509Certificate) => boolean,
  request: Parameters<typeof issueCertificate>[1],
): Promise<KeyPair> {
  const present = await readPair(directory, name);
  if (present !== undefined) {
    const certificate = new X509Certificate(present.certificate);
    const left = Date.parse(certificate.validTo) - clock.now();
    const signed = certificate.checkIssued(new X509Certificate(authority.certificate));
    if (signed && left > RENEWED_BEFORE_MS && fits(certificate)) return present;
  }
  return await writePair(directory, name, await issueCertificate(authority, request, clock.now()));
}

function serverHosts({
  names = [],
  serviceAddress = "10.96.0.1",
  clusterDomain = "cluster.local",
  addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
}: CertificatesOptions): readonly string[] {
  return [
    ...new Set([
      "localhost",
      hostname(),
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      `kubernetes.default.svc.${clusterDomain}`,
      serviceAddress,
      "127.0.0.1",
      "::1",
      // Link-local ones come with the name of their interface, and change with it.
      ...addresses.filter((address) => !address.startsWith("fe80:")),
      ...names,
    ]),
  ].filter((host) => isIP(host) !== 0 || /^[A-Za-z0-9.-]+$/.test(host));
}

function namesAll(certificate: X509Certificate, hosts: readonly string[]): boolean {
  return hosts.every(
    (host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined,
  );
}

async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  try {
    const [certificate, key] = await Promise.all([
      readFile(join(directory, `${name}.crt`), "utf8"),
      readFile(join(directory, `${name}.key`), "utf8"),
    ]);
    return { certificate, key };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first: a certificate without its key is made again. */
async function writePair(directory: string, name: string, pair: KeyPair): Promise<KeyPair> {
  await writeFileAtomic(join(directory, `${name}.key`), pair.key, { mode: 0o600 });
  await writeFileAtomic(join(directory, `${name}.crt`), pair.certificate, { mode: 0o644 });
  return pair;
}
