import { type ByteString, byteSlice } from "./bytes.ts";
import { readNumber } from "./numbers.ts";

/** The fields of one 512-byte header block as they stand, before extended headers change them. */
export interface RawHeader {
  readonly typeFlag: string;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Whether it carries GNU's own magic, where the prefix field means other things. */
  readonly gnu: boolean;
}

const EMPTY = "" as ByteString;

/** Bytes `start` to the first NUL, at most `length`. */
function text(block: Buffer, start: number, length: number): ByteString {
  if (block[start] === 0) return EMPTY;
  let end = start + 1;
  const limit = start + length;
  while (end < limit && block[end] !== 0) end++;
  return byteSlice(block, start, end);
}

const NUMBERS = [
  ["mode", 100, 8],
  ["uid", 108, 8],
  ["gid", 116, 8],
  ["size", 124, 12],
  ["mtime", 136, 12],
] as const;

/**
 * Decodes the block at `at`; its checksum has been verified.
 *
 * @returns the name of the field that is malformed instead, when one is
 */
export function decodeHeader(block: Buffer, at: number): RawHeader | string {
  const magic = block.toString("latin1", at + 257, at + 265);
  const ustar = magic.startsWith("ustar\0");
  const gnu = magic === "ustar  \0";
  const typeFlag = String.fromCharCode(block[at + 156] as number);
  const values = { mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
  for (const [field, offset, length] of NUMBERS) {
    const value = readNumber(block, at + offset, length);
    if (Number.isNaN(value)) return field;
    values[field] = value;
  }
  const device = (ustar || gnu) && (typeFlag === "3" || typeFlag === "4");
  const deviceMajor = device ? readNumber(block, at + 329, 8) : 0;
  const deviceMinor = device ? readNumber(block, at + 337, 8) : 0;
  if (Number.isNaN(deviceMajor) || Number.isNaN(deviceMinor)) return "device number";
  let name = text(block, at, 100);
  if (ustar && block[at + 345] !== 0) {
    // star keeps two times behind a shorter prefix and signs at the end of the block.
    const star = block.toString("latin1", at + 508, at + 512) === "tar\0";
    name = `${text(block, at + 345, star ? 131 : 155)}/${name}` as ByteString;
  }
  return {
    typeFlag,
    name,
    linkName: text(block, at + 157, 100),
    userName: ustar || gnu ? text(block, at + 265, 32) : EMPTY,
    groupName: ustar || gnu ? text(block, at + 297, 32) : EMPTY,
    ...values,
    deviceMajor,
    deviceMinor,
    gnu,
  };
}
