import { createPrivateKey, type KeyObject, type webcrypto } from "node:crypto";
import { Failure } from "../failure.ts";
import { SshReader } from "./ssh-wire.ts";

const MAGIC = "openssh-key-v1\0";
const PEM = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END OPENSSH PRIVATE KEY-----/;
/** How PKCS #8 and the older forms say that they are encrypted. */
const LOCKED = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m;
const CURVES: Readonly<Record<string, { readonly crv: string; readonly size: number }>> = {
  nistp256: { crv: "P-256", size: 32 },
  nistp384: { crv: "P-384", size: 48 },
  nistp521: { crv: "P-521", size: 66 },
};

/**
 * Reads a private key without a passphrase: OpenSSH's own format, PKCS #1, PKCS #8 or SEC 1.
 *
 * @param path for messages
 */
export function parsePrivateKey(bytes: Buffer, path: string): KeyObject {
  const [, body] = PEM.exec(bytes.toString("latin1")) ?? [];
  try {
    const key =
      body === undefined
        ? createPrivateKey(bytes)
        : createPrivateKey({ key: parseOpenssh(Buffer.from(body, "base64"), path), format: "jwk" });
    if (!["rsa", "ec", "ed25519"].includes(key.asymmetricKeyType ?? "")) throw notRead(path, "its kind is not known");
    return key;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (LOCKED.test(bytes.toString("latin1"))) throw locked(path);
    throw notRead(path, "it is no private key", error);
  }
}

function notRead(path: string, reason: string, cause?: unknown): Failure {
  return new Failure(`--ssh: cannot use ${path}: ${reason}`, {
    cause,
    remedy: "name a private key (RSA, ECDSA or Ed25519), or the socket of an agent",
  });
}

function locked(path: string): Failure {
  return new Failure(`--ssh: ${path} has a passphrase`, {
    remedy: `add it to an agent (ssh-add ${path}), and give that: --ssh default`,
  });
}

/** See OpenSSH's PROTOCOL.key. */
function parseOpenssh(bytes: Buffer, path: string): webcrypto.JsonWebKey {
  if (bytes.subarray(0, MAGIC.length).toString("latin1") !== MAGIC) throw notRead(path, "it is no private key");
  const outer = new SshReader(bytes.subarray(MAGIC.length));
  const cipher = outer.text();
  outer.string();
  outer.string();
  if (cipher !== "none") throw locked(path);
  if (outer.number() !== 1) throw notRead(path, "it holds several keys");
  outer.string();
  const inner = new SshReader(outer.string());
  if (inner.number() !== inner.number()) throw notRead(path, "it is corrupt");
  const kind = inner.text();
  if (kind === "ssh-ed25519") return ed25519(inner);
  if (kind === "ssh-rsa") return rsa(inner);
  if (kind.startsWith("ecdsa-sha2-")) return ecdsa(inner, path);
  throw notRead(path, `its kind is ${kind}`);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

function ed25519(inner: SshReader): webcrypto.JsonWebKey {
  const [x, both] = [inner.string(), inner.string()];
  return { kty: "OKP", crv: "Ed25519", x: base64(x), d: base64(both.subarray(0, 32)) };
}

function rsa(inner: SshReader): webcrypto.JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => inner.digits()) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const reduced = (prime: Buffer) => fromNumber(toNumber(d) % (toNumber(prime) - 1n));
  return {
    kty: "RSA",
    n: base64(n),
    e: base64(e),
    d: base64(d),
    p: base64(p),
    q: base64(q),
    dp: base64(reduced(p)),
    dq: base64(reduced(q)),
    qi: base64(qi),
  };
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}

function fromNumber(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
}

function ecdsa(inner: SshReader, path: string): webcrypto.JsonWebKey {
  const curve = CURVES[inner.text()];
  if (curve === undefined) throw notRead(path, "its curve is not known");
  const point = inner.string();
  const d = inner.digits();
  const { crv, size } = curve;
  return {
    kty: "EC",
    crv,
    x: base64(point.subarray(1, 1 + size)),
    y: base64(point.subarray(1 + size)),
    d: base64(Buffer.concat([Buffer.alloc(size - d.length), d])),
  };
}
