import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { bits, integer, objectId, octets, sequence, tagged } from "../functions/der.ts";
import { type ByteReader, integerBytes, padded } from "./byte-reader.ts";

/** Of public keys, RFC 9580 section 9.1. */
export const RSA = 1;
const RSA_SIGN_ONLY = 3;
const ECDSA = 19;
const EDDSA_LEGACY = 22;
const ED25519 = 27;
const ED448 = 28;
const ECDH = 18;

const HASHES: Readonly<Record<number, string>> = {
  2: "sha1",
  8: "sha256",
  9: "sha384",
  10: "sha512",
  11: "sha224",
  12: "sha3-256",
  14: "sha3-512",
};

/** @throws Unsupported for those of yesterday */
export function hashName(id: number): string {
  const name = HASHES[id];
  if (name === undefined) throw new Unsupported(`OpenPGP hash algorithm ${id} is not supported`);
  return name;
}

interface Curve {
  readonly name: string;
  readonly id: string;
  /** Of a coordinate. */
  readonly bytes: number;
}

/** By their object identifiers as keys have them. */
const CURVES: Readonly<Record<string, Curve>> = {
  "2a8648ce3d030107": { name: "P-256", id: "1.2.840.10045.3.1.7", bytes: 32 },
  "2b81040022": { name: "P-384", id: "1.3.132.0.34", bytes: 48 },
  "2b81040023": { name: "P-521", id: "1.3.132.0.35", bytes: 66 },
  "2b8104000a": { name: "secp256k1", id: "1.3.132.0.10", bytes: 32 },
  "2b2403030208010107": { name: "brainpoolP256r1", id: "1.3.36.3.3.2.8.1.1.7", bytes: 32 },
  "2b240303020801010b": { name: "brainpoolP384r1", id: "1.3.36.3.3.2.8.1.1.11", bytes: 48 },
  "2b240303020801010d": { name: "brainpoolP512r1", id: "1.3.36.3.3.2.8.1.1.13", bytes: 64 },
};
const ED25519_CURVE = "2b06010401da470f01";

/** The part of a key that everybody may know. */
export type PublicMaterial =
  | { readonly kind: "rsa"; readonly n: Buffer; readonly e: Buffer }
  | { readonly kind: "ecdsa"; readonly curve: Curve; readonly point: Buffer }
  | { readonly kind: "eddsa"; readonly point: Buffer; readonly isLegacy: boolean }
  | { readonly kind: "ed448"; readonly point: Buffer }
  /** It encrypts, or is of a kind that is not known: nothing is verified with it. */
  | { readonly kind: "other"; readonly algorithm: number };

/** @param reader behind the algorithm; read to where the public part ends, but for kinds that are not known */
export function readPublicMaterial(algorithm: number, reader: ByteReader): PublicMaterial {
  switch (algorithm) {
    case RSA:
    case RSA_SIGN_ONLY:
      return { kind: "rsa", n: reader.integer(), e: reader.integer() };
    case ECDSA: {
      const curve = CURVES[reader.take(reader.byte()).toString("hex")];
      const point = reader.integer();
      return curve === undefined || point.length !== 2 * curve.bytes + 1 || point[0] !== 4
        ? { kind: "other", algorithm }
        : { kind: "ecdsa", curve, point };
    }
    case EDDSA_LEGACY: {
      const curve = reader.take(reader.byte()).toString("hex");
      const point = reader.integer();
      return curve === ED25519_CURVE && point.length === 33 && point[0] === 0x40
        ? { kind: "eddsa", point: point.subarray(1), isLegacy: true }
        : { kind: "other", algorithm };
    }
    case ED25519:
      return { kind: "eddsa", point: reader.take(32), isLegacy: false };
    case ED448:
      return { kind: "ed448", point: reader.take(57) };
    case ECDH: {
      reader.take(reader.byte());
      reader.integer();
      reader.take(reader.byte());
      return { kind: "other", algorithm };
    }
    default:
      return { kind: "other", algorithm };
  }
}

const SMALLEST_RSA = 1024;

/** @throws InvalidArgument for numbers that are no key, Unsupported for kinds that are not known */
export function publicKeyOf(material: PublicMaterial): KeyObject {
  const algorithm = (...parts: readonly Buffer[]) => sequence(...parts);
  const spki = (id: Buffer, point: Buffer) =>
    createPublicKey({ key: sequence(id, bits(point)), format: "der", type: "spki" });
  try {
    switch (material.kind) {
      case "rsa": {
        if (material.n.length * 8 < SMALLEST_RSA) throw new Error(`it has fewer than ${SMALLEST_RSA} bits`);
        if (material.e.length > 8) throw new Error("its exponent is too large");
        const key = sequence(integer(material.n), integer(material.e));
        return createPublicKey({ key, format: "der", type: "pkcs1" });
      }
      case "ecdsa":
        return spki(algorithm(objectId("1.2.840.10045.2.1"), objectId(material.curve.id)), material.point);
      case "eddsa":
        return spki(algorithm(objectId("1.3.101.112")), material.point);
      case "ed448":
        return spki(algorithm(objectId("1.3.101.113")), material.point);
      case "other":
        throw new Unsupported(`OpenPGP keys of algorithm ${material.algorithm} are not supported for signatures`);
    }
  } catch (error) {
    if (error instanceof Unsupported) throw error;
    throw new InvalidArgument(`an OpenPGP key is malformed: ${(error as Error).message}`, { cause: error });
  }
}

/** @param reader at the secret part, in the clear; read to its end */
export function privateKeyOf(material: PublicMaterial, reader: ByteReader): KeyObject {
  const pkcs8 = (id: string, seed: Buffer): KeyObject =>
    createPrivateKey({
      key: sequence(ZERO, sequence(objectId(id)), octets(octets(seed))),
      format: "der",
      type: "pkcs8",
    });
  try {
    switch (material.kind) {
      case "rsa":
        return rsaPrivateKey(material, reader);
      case "ecdsa": {
        const { curve, point } = material;
        const d = octets(padded(reader.integer(), curve.bytes));
        const key = sequence(ONE, d, tagged(0xa0, objectId(curve.id)), tagged(0xa1, bits(point)));
        return createPrivateKey({ key, format: "der", type: "sec1" });
      }
      case "eddsa":
        return pkcs8("1.3.101.112", material.isLegacy ? padded(reader.integer(), 32) : reader.take(32));
      case "ed448":
        return pkcs8("1.3.101.113", reader.take(57));
      case "other":
        throw new Unsupported(`OpenPGP keys of algorithm ${material.algorithm} are not supported for signatures`);
    }
  } catch (error) {
    if (error instanceof Unsupported) throw error;
    throw new InvalidArgument(`an OpenPGP secret key is malformed: ${(error as Error).message}`, { cause: error });
  }
}

const [ZERO, ONE] = [integer(Buffer.from([0])), integer(Buffer.from([1]))];

/** The other coefficient is noted there: the primes change places. */
function rsaPrivateKey({ n, e }: { readonly n: Buffer; readonly e: Buffer }, reader: ByteReader): KeyObject {
  const [d, p, q, u] = [reader.integer(), reader.integer(), reader.integer(), reader.integer()];
  const big = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString("hex") || "0"}`);
  const bytes = (value: bigint): Buffer => {
    const digits = value.toString(16);
    return Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  };
  if (big(p) < 3n || big(q) < 3n) throw new Error("its primes are none");
  const modulo = (prime: Buffer): Buffer => bytes(big(d) % (big(prime) - 1n));
  const key = sequence(ZERO, ...[n, e, d, q, p, modulo(q), modulo(p), u].map(integer));
  return createPrivateKey({ key, format: "der", type: "pkcs1" });
}

/** @param digest of `data`; some algorithms sign one, some the other */
export function verifies(
  material: PublicMaterial,
  hash: string,
  { data, digest }: { readonly data: Buffer; readonly digest: Buffer },
  reader: ByteReader,
): boolean {
  const key = publicKeyOf(material);
  switch (material.kind) {
    case "rsa":
      return verify(hash, data, key, padded(reader.integer(), material.n.length));
    case "ecdsa": {
      const { bytes } = material.curve;
      const pair = Buffer.concat([padded(reader.integer(), bytes), padded(reader.integer(), bytes)]);
      return verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, pair);
    }
    case "eddsa": {
      const pair = () => Buffer.concat([padded(reader.integer(), 32), padded(reader.integer(), 32)]);
      return verify(null, digest, key, material.isLegacy ? pair() : reader.take(64));
    }
    case "ed448":
      return verify(null, digest, key, reader.take(114));
    case "other":
      return false;
  }
}

/** The numbers of a signature as packets have them. */
export function signatureNumbers(
  material: PublicMaterial,
  hash: string,
  { data, digest }: { readonly data: Buffer; readonly digest: Buffer },
  key: KeyObject,
): Buffer {
  switch (material.kind) {
    case "rsa":
      return integerBytes(sign(hash, data, key));
    case "ecdsa":
      return halves(sign(hash, data, { key, dsaEncoding: "ieee-p1363" }));
    case "eddsa":
      return material.isLegacy ? halves(sign(null, digest, key)) : sign(null, digest, key);
    case "ed448":
      return sign(null, digest, key);
    case "other":
      throw new Unsupported(`OpenPGP keys of algorithm ${material.algorithm} are not supported for signatures`);
  }
}

function halves(pair: Buffer): Buffer {
  const half = pair.length / 2;
  return Buffer.concat([integerBytes(pair.subarray(0, half)), integerBytes(pair.subarray(half))]);
}
