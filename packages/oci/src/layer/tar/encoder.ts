import { InvalidArgument } from "@boxship/base/errors";
import { type ByteString, bytesOf, isAscii, quote, toBuffer } from "./bytes.ts";
import { BLOCK, paddingOf, type SparseExtent, type TarEntry, type TarEntryType } from "./entry.ts";
import { writeChecksum, writeOctal } from "./numbers.ts";
import { encodePaxRecord, formatPaxTime } from "./pax.ts";

/** What must be said of a member; everything else has the default that `tar` gives it. */
export type TarEntryInit = Pick<TarEntry, "type" | "name"> & Partial<TarEntry>;

const FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const DEFAULT_MODE: Readonly<Record<TarEntryType, number>> = {
  file: 0o644,
  link: 0o644,
  symlink: 0o777,
  character: 0o600,
  block: 0o600,
  directory: 0o755,
  fifo: 0o644,
};

const EMPTY = "" as ByteString;

/** A whole entry from its parts. */
export function tarEntry(init: TarEntryInit): TarEntry {
  return {
    linkName: EMPTY,
    mode: DEFAULT_MODE[init.type],
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    mtimeNanoseconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    userName: EMPTY,
    groupName: EMPTY,
    xattrs: undefined,
    sparse: undefined,
    ...init,
  };
}

export interface EncodedHeader {
  /** Header blocks, extended headers included, and the map of a sparse file. */
  readonly header: Buffer;
  /** Bytes of content that must follow, then padded with {@link paddingOf}. */
  readonly storedSize: number;
}

/**
 * The header of a member in the PAX dialect: plain ustar where that holds every field exactly, preceded by an extended
 * header for the rest (long or non-ASCII names, sizes of 8 GiB and more, ids over 2^21, times that are negative or finer
 * than a second, extended attributes). Sparse files are stored in GNU's PAX format 1.0.
 */
export function encodeHeader(entry: TarEntry): EncodedHeader {
  const records: Buffer[] = [];
  const add = (key: string, value: string | Buffer) =>
    void records.push(encodePaxRecord(key, typeof value === "string" ? toBuffer(value) : value));
  const size = entry.type === "file" ? entry.size : 0;
  const map = entry.sparse === undefined || entry.type !== "file" ? undefined : encodeSparseMap(entry.sparse, size);
  const storedSize = map === undefined ? size : (entry.sparse ?? []).reduce((sum, { length }) => sum + length, 0);
  const headerSize = storedSize + (map?.length ?? 0);

  const block = Buffer.alloc(BLOCK);
  const name = entry.type === "directory" && entry.name !== "/" ? (`${entry.name}/` as ByteString) : entry.name;
  if (map !== undefined) {
    add("GNU.sparse.major", "1");
    add("GNU.sparse.minor", "0");
    add("GNU.sparse.name", name);
    add("GNU.sparse.realsize", String(size));
    writeName(block, bytesOf("GNUSparseFile.0/").concat(name.slice(-80)) as ByteString);
  } else if (!writeName(block, name)) addName("path", name, add);
  if (entry.linkName.length > 100 || !isAscii(entry.linkName)) addName("linkpath", entry.linkName, add);
  block.write(entry.linkName.slice(0, 100), 157, "latin1");
  if (!writeOctal(block, 124, 12, headerSize)) add("size", String(headerSize));
  if (!writeOctal(block, 108, 8, entry.uid)) add("uid", String(entry.uid));
  if (!writeOctal(block, 116, 8, entry.gid)) add("gid", String(entry.gid));
  if (!writeOctal(block, 136, 12, entry.mtime) || entry.mtimeNanoseconds !== 0) {
    add("mtime", formatPaxTime(entry.mtime, entry.mtimeNanoseconds));
  }
  for (const [key, value] of entry.xattrs ?? []) add(`SCHILY.xattr.${key}`, value);
  if (!writeText(block, 265, entry.userName)) add("uname", entry.userName);
  if (!writeText(block, 297, entry.groupName)) add("gname", entry.groupName);
  writeFixed(block, entry);
  fillUnset(block);
  writeChecksum(block);
  const parts = [...extendedHeader(records), block];
  if (map !== undefined) parts.push(map);
  return { header: Buffer.concat(parts), storedSize };
}

function writeFixed(block: Buffer, entry: TarEntry): void {
  writeOctal(block, 100, 8, entry.mode & 0o7777);
  block.write(FLAGS[entry.type], 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  if (entry.type !== "character" && entry.type !== "block") return;
  if (!writeOctal(block, 329, 8, entry.deviceMajor) || !writeOctal(block, 337, 8, entry.deviceMinor)) {
    const device = `${entry.deviceMajor}:${entry.deviceMinor}`;
    throw new InvalidArgument(`tar entry ${quote(entry.name)}: device number ${device} does not fit`);
  }
}

/** Numbers that moved to the extended header read as zero for those who do not know it. */
function fillUnset(block: Buffer): void {
  for (const [offset, length] of [
    [108, 8],
    [116, 8],
    [124, 12],
    [136, 12],
  ] as const) {
    if (block[offset] === 0) writeOctal(block, offset, length, 0);
  }
}

function writeText(block: Buffer, offset: number, text: ByteString): boolean {
  if (text.length > 31 || !isAscii(text)) return false;
  block.write(text, offset, "latin1");
  return true;
}

/** @returns false when the name needs an extended header; then the field holds its tail for old readers */
function writeName(block: Buffer, name: ByteString): boolean {
  const ascii = isAscii(name);
  if (name.length <= 100) {
    block.write(name, 0, "latin1");
    return ascii;
  }
  const slash = splitPoint(name);
  if (slash === -1) {
    block.write(name.slice(-100), 0, "latin1");
    return false;
  }
  block.write(name.slice(0, slash), 345, "latin1");
  block.write(name.slice(slash + 1), 0, "latin1");
  return ascii;
}

/** The slash at which a long name falls into a prefix of at most 155 and a name of at most 100 bytes, or -1. */
function splitPoint(name: string): number {
  const slash = name.indexOf("/", Math.max(1, name.length - 101));
  return slash > 155 || slash >= name.length - 1 ? -1 : slash;
}

function addName(key: string, name: ByteString, add: (key: string, value: string) => void): void {
  // Records are UTF-8 by definition; bytes that are not announce themselves.
  if (!isUtf8(name)) add("hdrcharset", "BINARY");
  add(key, name);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function isUtf8(name: ByteString): boolean {
  try {
    decoder.decode(toBuffer(name));
    return true;
  } catch {
    return false;
  }
}

function extendedHeader(records: readonly Buffer[]): Buffer[] {
  if (records.length === 0) return [];
  const body = Buffer.concat(records);
  const block = Buffer.alloc(BLOCK);
  block.write("PaxHeaders/entry", 0, "latin1");
  writeOctal(block, 100, 8, 0o644);
  writeOctal(block, 108, 8, 0);
  writeOctal(block, 116, 8, 0);
  writeOctal(block, 124, 12, body.length);
  writeOctal(block, 136, 12, 0);
  block.write("x", 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  writeChecksum(block);
  return [block, body, Buffer.alloc(paddingOf(body.length))];
}

function encodeSparseMap(extents: readonly SparseExtent[], size: number): Buffer {
  const last = extents.at(-1);
  // GNU tar starts each extent at a block of the archive, others do not: only whole blocks mean the same to both.
  if (extents.some((extent) => extent !== last && extent.length % BLOCK !== 0)) {
    throw new InvalidArgument("the extents of a sparse file, except the last, must be whole blocks of 512 bytes");
  }
  // GNU tar reads a file that ends in a hole as long as its last extent says, so an empty one marks the end.
  const all =
    last === undefined || last.offset + last.length < size ? [...extents, { offset: size, length: 0 }] : extents;
  const lines = [String(all.length)];
  for (const { offset, length } of all) lines.push(String(offset), String(length));
  const text = Buffer.from(`${lines.join("\n")}\n`, "latin1");
  return Buffer.concat([text, Buffer.alloc(paddingOf(text.length))]);
}

/** The mark behind the last member. */
export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * BLOCK);
