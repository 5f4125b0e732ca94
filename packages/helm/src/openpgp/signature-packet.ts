import { createHash, type KeyObject } from "node:crypto";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { hashName, signatureNumbers, verifies } from "./algorithms.ts";
import { ByteReader, word } from "./byte-reader.ts";
import type { KeyPacket } from "./key-packet.ts";
import { packetBytes, readSubpackets, type Subpacket, subpacketBytes, Tag } from "./packets.ts";

/** What a signature is about, RFC 9580 section 5.2.1. */
export const SignatureType = {
  binary: 0x00,
  text: 0x01,
  certification: 0x10,
  positiveCertification: 0x13,
  subkeyBinding: 0x18,
  primaryKeyBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const;

const Part = {
  created: 2,
  expires: 3,
  keyExpires: 9,
  issuer: 16,
  notation: 20,
  keyFlags: 27,
  embedded: 32,
  issuerFingerprint: 33,
} as const;

/** Parts that change nothing about whether a signature holds here, or that are heeded. */
const KNOWN: ReadonlySet<number> = new Set([
  2, 3, 4, 5, 7, 9, 11, 12, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 39,
]);

/** A signature's packet, of version 4. */
export interface SignaturePacket {
  readonly type: number;
  readonly hash: string;
  readonly publicAlgorithm: number;
  /** Seconds since 1970. */
  readonly created: number;
  /** Seconds after it was made; 0 for never. */
  readonly expiresAfter: number;
  /** Seconds after the key was made; 0 for never; undefined where nothing is said. */
  readonly keyExpiresAfter: number | undefined;
  /** What the key may do; undefined where nothing is said. */
  readonly keyFlags: number | undefined;
  readonly issuerKeyId: string;
  readonly issuerFingerprint: string;
  /** The signature of a subkey about its primary key. */
  readonly embedded: Buffer | undefined;
  /** Parts that a reader must know and that are not known. */
  readonly unknownCritical: readonly number[];
  /** What is hashed behind what is signed. */
  readonly trailer: Buffer;
  /** The first two bytes of the digest. */
  readonly left: Buffer;
  readonly numbers: Buffer;
}

/** @throws InvalidArgument, Unsupported for other versions and hashes */
export function readSignaturePacket(body: Buffer): SignaturePacket {
  const reader = new ByteReader(body, "an OpenPGP signature");
  const version = reader.byte();
  if (version !== 4) throw new Unsupported(`OpenPGP signatures of version ${version} are not supported`);
  const [type, publicAlgorithm, hashId] = [reader.byte(), reader.byte(), reader.byte()];
  const hashed = reader.take(reader.number(2));
  const trailer = trailerOf(body.subarray(0, 6 + hashed.length));
  const parts = readSubpackets(hashed);
  const others = readSubpackets(reader.take(reader.number(2)));
  const data = (all: readonly Subpacket[], kind: number): Buffer | undefined =>
    all.findLast((one) => one.type === kind)?.data;
  const seconds = (kind: number): number | undefined => {
    const found = data(parts, kind);
    return found === undefined ? undefined : new ByteReader(found, "a time in an OpenPGP signature").number(4);
  };
  const created = seconds(Part.created);
  if (created === undefined) throw new InvalidArgument("an OpenPGP signature does not say when it was made");
  const anywhere = (kind: number): Buffer | undefined => data(parts, kind) ?? data(others, kind);
  return {
    type,
    publicAlgorithm,
    hash: hashName(hashId),
    created,
    expiresAfter: seconds(Part.expires) ?? 0,
    keyExpiresAfter: seconds(Part.keyExpires),
    keyFlags: data(parts, Part.keyFlags)?.[0],
    issuerKeyId: anywhere(Part.issuer)?.toString("hex").toUpperCase() ?? "",
    issuerFingerprint: anywhere(Part.issuerFingerprint)?.subarray(1).toString("hex").toUpperCase() ?? "",
    embedded: anywhere(Part.embedded),
    unknownCritical: parts.filter((one) => one.isCritical && !KNOWN.has(one.type)).map((one) => one.type),
    trailer,
    left: reader.take(2),
    numbers: reader.rest(),
  };
}

const trailerOf = (head: Buffer): Buffer => Buffer.concat([head, Buffer.from([4, 0xff]), word(head.length, 4)]);

/** Whether a signature is by this key, by what it says about that. */
export function isBy({ issuerFingerprint, issuerKeyId }: SignaturePacket, { fingerprint, keyId }: KeyPacket): boolean {
  return issuerFingerprint === "" ? issuerKeyId === keyId : issuerFingerprint === fingerprint;
}

/** Whether it is a signature by this key over this. Numbers that are malformed are no signature. */
export function holds(signature: SignaturePacket, key: KeyPacket, signed: readonly Buffer[]): boolean {
  const { hash, trailer, left, numbers, unknownCritical, publicAlgorithm } = signature;
  if (unknownCritical.length > 0 || publicAlgorithm !== key.algorithm) return false;
  const data = Buffer.concat([...signed, trailer]);
  const digest = createHash(hash).update(data).digest();
  if (!digest.subarray(0, 2).equals(left)) return false;
  try {
    return verifies(key.material, hash, { data, digest }, new ByteReader(numbers, "an OpenPGP signature"));
  } catch (error) {
    if (error instanceof InvalidArgument) return false;
    throw error;
  }
}

const SHA512 = 10;

/** A signature's packet, with the time and who made it. @param signed without line ends where they do not count */
export function makeSignature(type: number, key: KeyPacket, secret: KeyObject, signed: Buffer, now: Date): Buffer {
  const parts = Buffer.concat([
    subpacketBytes(Part.issuerFingerprint, Buffer.concat([Buffer.from([4]), Buffer.from(key.fingerprint, "hex")])),
    subpacketBytes(Part.created, word(Math.trunc(now.getTime() / 1000), 4)),
  ]);
  const head = Buffer.concat([Buffer.from([4, type, key.algorithm, SHA512]), word(parts.length, 2), parts]);
  const data = Buffer.concat([signed, trailerOf(head)]);
  const digest = createHash("sha512").update(data).digest();
  const others = subpacketBytes(Part.issuer, Buffer.from(key.keyId, "hex"));
  const numbers = signatureNumbers(key.material, "sha512", { data, digest }, secret);
  const body = Buffer.concat([head, word(others.length, 2), others, digest.subarray(0, 2), numbers]);
  return packetBytes({ tag: Tag.signature, body });
}
