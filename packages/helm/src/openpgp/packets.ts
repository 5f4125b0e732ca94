import { InvalidArgument } from "@boxship/base/errors";
import { ByteReader, word } from "./byte-reader.ts";

export const Tag = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  padding: 21,
} as const;

export interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

const MOST_PACKETS = 100_000;

/**
 * Takes bytes apart into packets, RFC 9580 section 4.2, with lengths of both formats. Lengths in pieces and of unknown
 * size stand only before data, which neither keys nor signatures are: they are refused.
 *
 * @throws InvalidArgument for what is cut off or no packet
 */
export function readPackets(bytes: Buffer): readonly Packet[] {
  const reader = new ByteReader(bytes, "an OpenPGP packet");
  const packets: Packet[] = [];
  while (reader.left > 0) {
    if (packets.length >= MOST_PACKETS)
      throw new InvalidArgument(`there are more than ${MOST_PACKETS} OpenPGP packets`);
    const head = reader.byte();
    if ((head & 0x80) === 0) throw new InvalidArgument("this is no OpenPGP data");
    const isNew = (head & 0x40) !== 0;
    const tag = isNew ? head & 0x3f : (head >> 2) & 0x0f;
    const length = isNew ? newLength(reader) : oldLength(reader, head & 3);
    packets.push({ tag, body: reader.take(length) });
  }
  return packets;
}

function newLength(reader: ByteReader): number {
  const first = reader.byte();
  if (first < 192) return first;
  if (first < 224) return ((first - 192) << 8) + reader.byte() + 192;
  if (first === 255) return reader.number(4);
  throw new InvalidArgument("OpenPGP packets in pieces are not supported");
}

function oldLength(reader: ByteReader, kind: number): number {
  if (kind === 0) return reader.byte();
  if (kind === 1) return reader.number(2);
  if (kind === 2) return reader.number(4);
  throw new InvalidArgument("OpenPGP packets of unknown length are not supported");
}

/** A packet with the length as the newer format has it. */
export function packetBytes({ tag, body }: Packet): Buffer {
  return Buffer.concat([Buffer.from([0xc0 | tag]), lengthBytes(body.length), body]);
}

export function lengthBytes(length: number): Buffer {
  if (length < 192) return Buffer.from([length]);
  if (length < 8384) return Buffer.from([((length - 192) >> 8) + 192, (length - 192) & 0xff]);
  return Buffer.concat([Buffer.from([255]), word(length, 4)]);
}

/** Parts of a signature, RFC 9580 section 5.2.3.7. */
export interface Subpacket {
  readonly type: number;
  readonly isCritical: boolean;
  readonly data: Buffer;
}

export function readSubpackets(bytes: Buffer): readonly Subpacket[] {
  const reader = new ByteReader(bytes, "a part of an OpenPGP signature");
  const found: Subpacket[] = [];
  while (reader.left > 0) {
    const first = reader.byte();
    const length = first < 192 ? first : first < 255 ? ((first - 192) << 8) + reader.byte() + 192 : reader.number(4);
    if (length === 0) throw new InvalidArgument("a part of an OpenPGP signature has no type");
    const type = reader.byte();
    found.push({ type: type & 0x7f, isCritical: type >= 0x80, data: reader.take(length - 1) });
  }
  return found;
}

export const subpacketBytes = (type: number, data: Uint8Array): Buffer =>
  Buffer.concat([lengthBytes(data.length + 1), Buffer.from([type]), data]);
