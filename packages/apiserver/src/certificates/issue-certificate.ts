import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, type webcrypto } from "node:crypto";

/** A certificate with its key, as PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Groups of a client. */
  readonly organizations?: readonly string[];
  readonly usage: "server" | "client";
  /** Names and addresses of a server. */
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
}

const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
const DAY_MS = 24 * 3600 * 1000;
/** Clocks are not all the same. */
const EARLIER_MS = 5 * 60 * 1000;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** The library takes long to load: only who makes a certificate pays for it. */
export async function library() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(crypto);
  return x509;
}

/** A new certificate authority. @param now milliseconds since the epoch */
export async function makeAuthority(commonName: string, now: number): Promise<KeyPair> {
  const x509 = await library();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = {
    privateKey: await webKey(privateKey.export({ type: "pkcs8", format: "der" }), "pkcs8", ["sign"]),
    publicKey: await webKey(publicKey.export({ type: "spki", format: "der" }), "spki", ["verify"]),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - EARLIER_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS),
    keys: keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: certificate.toString("pem"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

/** A certificate that an authority vouches for, with a key of its own. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest, now: number): Promise<KeyPair> {
  const x509 = await library();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = new x509.X509Certificate(authority.certificate);
  const { commonName, organizations = [], usage, names = [], addresses = [] } = request;
  const alternatives = [
    ...names.map((value) => ({ type: "dns" as const, value })),
    ...addresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [...(organizations.length === 0 ? [] : [{ O: [...organizations] }]), { CN: [commonName] }],
    issuer: issuer.subjectName,
    notBefore: new Date(now - EARLIER_MS),
    notAfter: new Date(now + LEAF_DAYS * DAY_MS),
    publicKey: await webKey(publicKey.export({ type: "spki", format: "der" }), "spki", ["verify"]),
    signingKey: await signingKey(createPrivateKey(authority.key)),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([
        usage === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
    ],
  });
  return {
    certificate: certificate.toString("pem"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

/** A key on P-256 that the library signs by. */
export async function signingKey(key: KeyObject) {
  return await webKey(key.export({ type: "pkcs8", format: "der" }), "pkcs8", ["sign"]);
}

async function webKey(der: Buffer, format: "pkcs8" | "spki", usages: webcrypto.KeyUsage[]) {
  return await crypto.subtle.importKey(format, Uint8Array.from(der), ALGORITHM, true, usages);
}

export const serial = (): string => `00${randomBytes(16).toString("hex")}`.replace(/^00[89a-f]/, "007");
