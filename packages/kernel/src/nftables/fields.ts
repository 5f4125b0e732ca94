import { Buffer } from "node:buffer";
import { align4 } from "../netlink/attributes.ts";
import { addressBytes } from "../netlink/ip-address.ts";

/** What a set, or the values of a map, are made of; named as nft(8) names its types. */
export type NftField = "ifname" | "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service" | "mark";

interface FieldType {
  /** Bytes of a value. */
  readonly size: number;
  /** The number by which nft knows the type when it lists a set. */
  readonly number: number;
  readonly byteOrder: 1 | 2;
  readonly encode: (value: string | number) => Buffer;
}

const HostOrder = 1;
const NetworkOrder = 2;
/** nft writes a concatenation's types with this many bits for each. */
const TYPE_BITS = 6;

const FIELDS: Readonly<Record<NftField, FieldType>> = {
  ifname: { size: 16, number: 41, byteOrder: HostOrder, encode: (value) => interfaceBytes(String(value)) },
  ipv4_addr: { size: 4, number: 7, byteOrder: NetworkOrder, encode: (value) => addressBytes(String(value)) },
  ipv6_addr: { size: 16, number: 8, byteOrder: NetworkOrder, encode: (value) => addressBytes(String(value)) },
  inet_proto: { size: 1, number: 12, byteOrder: NetworkOrder, encode: (value) => Buffer.of(Number(value)) },
  inet_service: { size: 2, number: 13, byteOrder: NetworkOrder, encode: (value) => portBytes(Number(value)) },
  mark: { size: 4, number: 19, byteOrder: HostOrder, encode: (value) => hostWord(Number(value)) },
};

/** An interface's name as the kernel compares it: 16 bytes, the rest zeros. */
export function interfaceBytes(name: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(name);
  return bytes;
}

/** A port in network order. */
export function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

/** A number as the kernel keeps its own. */
export function hostWord(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** A value for each field, one behind the other: in a concatenation each begins on a boundary of four bytes. */
export function encodeFields(fields: readonly NftField[], values: readonly (string | number)[]): Buffer {
  const parts = fields.map((field, index) => FIELDS[field].encode(values[index] ?? ""));
  if (parts.length === 1) return parts[0] as Buffer;
  return Buffer.concat(parts.map((part) => Buffer.concat([part, Buffer.alloc(align4(part.length) - part.length)])));
}

/** Bytes of a value of these fields. */
export function fieldsSize(fields: readonly NftField[]): number {
  const sizes = fields.map((field) => FIELDS[field].size);
  return sizes.length === 1 ? (sizes[0] ?? 0) : sizes.reduce((sum, size) => sum + align4(size), 0);
}

/** The sizes of the fields of a concatenation. */
export function fieldSizes(fields: readonly NftField[]): number[] {
  return fields.map((field) => FIELDS[field].size);
}

/** The number that nft gives to the type. */
export function fieldsType(fields: readonly NftField[]): number {
  return fields.reduce((type, field) => type * 2 ** TYPE_BITS + FIELDS[field].number, 0);
}

/** For nft's listings; a concatenation has no byte order as a whole. */
export function fieldsByteOrder(fields: readonly NftField[]): number {
  const [field] = fields;
  return fields.length === 1 && field !== undefined ? FIELDS[field].byteOrder : 0;
}
