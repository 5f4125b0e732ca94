import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import {
  bits,
  boolean,
  elements,
  integer,
  nothing,
  objectId,
  octets,
  sequence,
  set,
  tagged,
  time,
  utf8,
} from "./der.ts";

/** A certificate and its key, both in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  readonly days: number;
  /** In PEM. @default a new RSA key of 2048 bits */
  readonly key?: string;
  /** Whether it may sign others. @default false */
  readonly authority?: boolean;
  /** Who signs. @default itself */
  readonly issuer?: KeyPair;
}

export const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;

export function newPrivateKey(type: string): string {
  switch (type) {
    case "":
    case "rsa":
      return keyText(generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey);
    case "ecdsa":
      return keyText(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
    case "ed25519":
      return keyText(generateKeyPairSync("ed25519").privateKey);
    case "dsa":
      return dsaKeyText(generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 }));
    default:
      return `Unknown type ${type}`;
  }
}

/** A key in the form of PEM that Go's library writes for its kind. */
function keyText(key: KeyObject): string {
  if (key.asymmetricKeyType === "rsa") return key.export({ type: "pkcs1", format: "pem" });
  if (key.asymmetricKeyType === "ec") return key.export({ type: "sec1", format: "pem" });
  return key.export({ type: "pkcs8", format: "pem" });
}

/** OpenSSL's old form: version, p, q, g, y and x. */
function dsaKeyText({
  privateKey,
  publicKey,
}: {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}): string {
  const inside = (bytes: Buffer = Buffer.alloc(0)) => elements(bytes);
  const [, algorithm, secret] = inside(inside(privateKey.export({ type: "pkcs8", format: "der" }))[0]?.content);
  const [, open] = inside(inside(publicKey.export({ type: "spki", format: "der" }))[0]?.content);
  const parameters = inside(inside(algorithm?.content)[1]?.content);
  // The first octet of a string of bits says how many are unused.
  const numbers = [...parameters, ...inside(open?.content.subarray(1)), ...inside(secret?.content)];
  return pem("DSA PRIVATE KEY", sequence(integer(Buffer.from([0])), ...numbers.map(({ whole }) => whole)));
}

export function readPrivateKey(text: string): KeyObject {
  if (!text.includes("-----BEGIN ")) throw new Error("no PEM data in input");
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw new Error(`decoding PEM: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** @throws Error for what is no certificate in PEM */
export function readCertificate(text: string): X509Certificate {
  if (!text.includes("-----BEGIN ")) throw new Error("unable to decode certificate");
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new Error(`error parsing certificate: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

const subjectKeyId = (key: KeyObject): Buffer => {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const bitString = elements(elements(spki)[0]?.content ?? Buffer.alloc(0))[1]?.content ?? Buffer.alloc(0);
  return createHash("sha1").update(bitString.subarray(1)).digest();
};

function algorithmOf(key: KeyObject): { readonly id: Buffer; readonly hash: string | null } {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return { id: sequence(objectId("1.2.840.113549.1.1.11"), nothing), hash: "sha256" };
    case "ec":
      return { id: sequence(objectId("1.2.840.10045.4.3.2")), hash: "sha256" };
    case "ed25519":
      return { id: sequence(objectId("1.3.101.112")), hash: null };
    default:
      throw new Error(`keys of type ${key.asymmetricKeyType ?? "unknown"} cannot sign certificates`);
  }
}

const nameOf = (commonName: string): Buffer => sequence(set(sequence(objectId("2.5.4.3"), utf8(commonName))));

const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(objectId(id), ...(critical ? [boolean(true)] : []), octets(value));

/** The issuer's name as it stands in its certificate, and the identifier of its key. */
function issuerOf({ cert }: KeyPair): { readonly name: Buffer; readonly keyId: Buffer | undefined } {
  const { raw } = readCertificate(cert);
  const body = elements(elements(elements(raw)[0]?.content ?? Buffer.alloc(0))[0]?.content ?? Buffer.alloc(0));
  const name = body[5]?.whole ?? nameOf("");
  const extensions = elements(
    elements(body.find(({ tag }) => tag === 0xa3)?.content ?? Buffer.alloc(0))[0]?.content ?? Buffer.alloc(0),
  );
  for (const { content } of extensions) {
    const parts = elements(content);
    if (parts[0]?.whole.equals(objectId("2.5.29.14"))) {
      return { name, keyId: elements(parts.at(-1)?.content ?? Buffer.alloc(0))[0]?.content };
    }
  }
  return { name, keyId: undefined };
}

function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split(".").map(Number));
  if (!isIPv6(text)) throw new Error(`error parsing ip: ${text}`);
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === ""
      ? []
      : part.split(":").flatMap((group) => {
          if (isIPv4(group)) {
            const four = group.split(".").map(Number);
            return [((four[0] ?? 0) << 8) | (four[1] ?? 0), ((four[2] ?? 0) << 8) | (four[3] ?? 0)];
          }
          return [Number.parseInt(group, 16)];
        });
  const [left, right] = [groups(head), groups(tail ?? "")];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function extensionsOf(request: CertificateRequest, key: KeyObject, issuerKeyId: Buffer | undefined): Buffer {
  const { authority = false, addresses, names } = request;
  // Digital signature and key encipherment; an authority signs certificates, too.
  const usage = authority ? bits(Buffer.from([0xa4]), 2) : bits(Buffer.from([0xa0]), 5);
  const others = [
    ...names.map((name) => tagged(0x82, Buffer.from(name))),
    ...addresses.map((one) => tagged(0x87, addressBytes(one))),
  ];
  return tagged(
    0xa3,
    sequence(
      extension("2.5.29.15", usage, true),
      extension("2.5.29.37", sequence(objectId("1.3.6.1.5.5.7.3.1"), objectId("1.3.6.1.5.5.7.3.2"))),
      extension("2.5.29.19", authority ? sequence(boolean(true)) : sequence(), true),
      ...(authority ? [extension("2.5.29.14", octets(subjectKeyId(key)))] : []),
      ...(issuerKeyId === undefined ? [] : [extension("2.5.29.35", sequence(tagged(0x80, issuerKeyId)))]),
      ...(others.length === 0 ? [] : [extension("2.5.29.17", sequence(...others))]),
    ),
  );
}

/** Makes a certificate as sprig's functions do, and its key where none is given. */
export function makeCertificate(request: CertificateRequest): KeyPair {
  const { commonName, days, issuer } = request;
  const key =
    request.key === undefined
      ? generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
      : readPrivateKey(request.key);
  const signer = issuer === undefined ? key : readPrivateKey(issuer.key);
  const from = issuer === undefined ? { name: nameOf(commonName), keyId: undefined } : issuerOf(issuer);
  const algorithm = algorithmOf(signer);
  const now = Math.trunc(Date.now() / 1000) * 1000;
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f;
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm.id,
    from.name,
    sequence(time(new Date(now)), time(new Date(now + days * 86_400_000))),
    nameOf(commonName),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    extensionsOf(request, key, from.keyId),
  );
  const signature = sign(algorithm.hash, body, signer);
  return { cert: pem("CERTIFICATE", sequence(body, algorithm.id, bits(signature))), key: keyText(key) };
}
