import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Clock, ResourceExhausted, systemCode, writeFileAtomic } from "@boxship/base";
import { MASTERS } from "../access/authorize.ts";
import { issueCertificate, type KeyPair, makeAuthority } from "./issue-certificate.ts";

export interface CertificatesOptions {
  /** Made with mode 0700 if it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** Names and addresses that clients may use besides the host's own. */
  readonly names?: readonly string[];
  /** The machine's own addresses. @default those of its interfaces */
  readonly addresses?: () => readonly string[];
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
  /** The same with its key. */
  readonly signer: KeyPair;
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
  const authority = async (name: string, commonName: string): Promise<KeyPair> =>
    (await readPair(directory, name)) ??
    (await writePair(directory, name, await makeAuthority(commonName, clock.now())));
  return await issuedBy(options, {
    cluster: await authority("ca", "boxship-ca"),
    frontProxy: await authority("front-proxy-ca", "boxship-front-proxy-ca"),
  });
}

interface Authorities {
  readonly cluster: KeyPair;
  readonly frontProxy: KeyPair;
}

/** What is there by these authorities and is still good, and the rest made anew. */
export async function issuedBy(
  options: CertificatesOptions,
  { cluster: authority, frontProxy }: Authorities,
): Promise<ClusterCertificates> {
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
    frontProxy: {
      authority: frontProxy.certificate,
      signer: frontProxy,
      client: await keepOr(options, frontProxy, "front-proxy-client", () => true, {
        commonName: FRONT_PROXY_CLIENT,
        usage: "client",
      }),
    },
  };
}

/** When none of the pairs has to be made anew: milliseconds since the epoch. */
export function goodFor({ server, admin, frontProxy }: ClusterCertificates): {
  readonly from: number;
  readonly until: number;
} {
  const all = [server, admin, frontProxy.client].map(({ certificate }) => spanOf(new X509Certificate(certificate)));
  return { from: Math.max(...all.map(({ from }) => from)), until: Math.min(...all.map(({ until }) => until)) };
}

function spanOf({ validFrom, validTo }: X509Certificate): { readonly from: number; readonly until: number } {
  return { from: Date.parse(validFrom), until: Date.parse(validTo) - RENEWED_BEFORE_MS };
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
    const { from, until } = spanOf(certificate);
    const now = clock.now();
    const signed = certificate.checkIssued(new X509Certificate(authority.certificate));
    // Of two pairs, where writing the second was cut short.
    const paired = certificate.checkPrivateKey(createPrivateKey(present.key));
    if (paired && signed && from <= now && now < until && fits(certificate)) return present;
  }
  const made = await issueCertificate(authority, request, clock.now());
  try {
    return await writePair(directory, name, made);
  } catch (error) {
    // On a full disk it is good for as long as this process runs; the next one makes another.
    if (error instanceof ResourceExhausted) return made;
    throw error;
  }
}

/** Names and addresses that the server's certificate is for. */
export function serverHosts({
  names = [],
  serviceAddress = "10.96.0.1",
  clusterDomain = "cluster.local",
  addresses = ownAddresses,
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
      ...addresses().filter((address) => !address.startsWith("fe80:")),
      ...names,
    ]),
  ].filter((host) => isIP(host) !== 0 || /^[A-Za-z0-9.-]+$/.test(host));
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
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
