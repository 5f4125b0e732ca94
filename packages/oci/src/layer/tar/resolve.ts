import type { ByteString } from "./bytes.ts";
import type { SparseExtent, TarEntry, TarEntryType } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { type PaxRecords, paxInteger, paxTime, xattrsOf } from "./pax.ts";
import { pairExtents } from "./sparse.ts";

const EMPTY = "" as ByteString;

const TYPES: Readonly<Record<string, TarEntryType>> = {
  "\0": "file",
  "0": "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // A contiguous file is a file to everyone who has no contiguous files.
  "7": "file",
  S: "file",
};

export type Resolved =
  | {
      readonly entry: TarEntry;
      /** Bytes of content that follow in the archive. */
      readonly storedSize: number;
      /** Whether a sparse map stands before the data. */
      readonly mapInData: boolean;
    }
  | { readonly problem: string; readonly name: ByteString }
  | { readonly unsupported: string; readonly name: ByteString };

/** Joins a header with the extended headers that precede it. PAX records win over GNU long names over the header. */
export function resolveEntry(
  header: RawHeader,
  records: PaxRecords,
  longName: ByteString | undefined,
  longLink: ByteString | undefined,
  oldExtents: readonly SparseExtent[],
): Resolved {
  const path = textRecord(records, "GNU.sparse.name") ?? textRecord(records, "path");
  const fullName = path ?? longName ?? header.name;
  const name = trimSlashes(fullName);
  const linkName = textRecord(records, "linkpath") ?? longLink ?? header.linkName;
  const type = typeOf(header, fullName);
  if (type === undefined) return { unsupported: `entry type ${JSON.stringify(header.typeFlag)}`, name };
  if (records.get("SCHILY.filetype")?.toString("latin1") === "sparse") {
    return { unsupported: "star's sparse file", name };
  }
  if (fullName.includes("\0") || linkName.includes("\0")) return { problem: "its name holds a NUL byte", name };
  if (fullName === "") return { problem: "it has no name", name };

  const numbers = numbersOf(header, records);
  if (typeof numbers === "string") return { problem: `its ${numbers} is malformed`, name };
  const storedSize = type === "file" ? numbers.size : 0;
  const sparse = type === "file" ? sparseOf(records, storedSize, header.typeFlag === "S" ? oldExtents : undefined) : {};
  if (sparse === undefined) return { problem: "its sparse map is malformed", name };
  const entry: TarEntry = {
    type,
    name,
    linkName: type === "symlink" || type === "link" ? linkName : EMPTY,
    mode: header.mode & 0o7777,
    uid: numbers.uid,
    gid: numbers.gid,
    size: sparse.realSize ?? storedSize,
    mtime: numbers.mtime,
    mtimeNanoseconds: numbers.nanoseconds,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    userName: textRecord(records, "uname") ?? header.userName,
    groupName: textRecord(records, "gname") ?? header.groupName,
    xattrs: records.size === 0 ? undefined : xattrsOf(records),
    sparse: sparse.extents,
  };
  return { entry, storedSize, mapInData: sparse.mapInData ?? false };
}

function typeOf(header: RawHeader, fullName: string): TarEntryType | undefined {
  const type = TYPES[header.typeFlag];
  // V7 knew no directories: a file whose name ends in a slash is one.
  return type === "file" && fullName.endsWith("/") ? "directory" : type;
}

function textRecord(records: PaxRecords, key: string): ByteString | undefined {
  if (records.size === 0) return undefined;
  const value = records.get(key);
  return value === undefined || value.length === 0 ? undefined : (value.toString("latin1") as ByteString);
}

function trimSlashes(name: ByteString): ByteString {
  let end = name.length;
  while (end > 1 && name.charCodeAt(end - 1) === 0x2f) end--;
  return end === name.length ? name : (name.slice(0, end) as ByteString);
}

interface Numbers {
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly nanoseconds: number;
}

function numbersOf(header: RawHeader, records: PaxRecords): Numbers | string {
  let { size, uid, gid, mtime } = header;
  let nanoseconds = 0;
  if (records.size > 0) {
    size = override(records, "size", size);
    uid = override(records, "uid", uid);
    gid = override(records, "gid", gid);
    const value = records.get("mtime");
    if (value !== undefined && value.length > 0) {
      const time = paxTime(value);
      if (time === undefined) return "modification time";
      mtime = time.seconds;
      nanoseconds = time.nanoseconds;
    }
  }
  if (!(size >= 0)) return "size";
  if (!(uid >= 0 && uid <= 0xffffffff)) return "user id";
  if (!(gid >= 0 && gid <= 0xffffffff)) return "group id";
  return { size, uid, gid, mtime, nanoseconds };
}

function override(records: PaxRecords, key: string, value: number): number {
  const record = records.get(key);
  return record === undefined || record.length === 0 ? value : paxInteger(record);
}

interface Sparse {
  readonly realSize?: number;
  readonly extents?: readonly SparseExtent[];
  readonly mapInData?: boolean;
}

/** @returns undefined when the records are malformed */
function sparseOf(
  records: PaxRecords,
  storedSize: number,
  oldExtents: readonly SparseExtent[] | undefined,
): Sparse | undefined {
  if (records.size === 0) return {};
  const map = records.get("GNU.sparse.map");
  const major = records.get("GNU.sparse.major")?.toString("latin1");
  const minor = records.get("GNU.sparse.minor")?.toString("latin1");
  const mapInData = major === "1" && minor === "0";
  if (oldExtents === undefined && map === undefined && !mapInData) {
    // A version that is neither 0.x (which needs a map) nor 1.0 cannot be read as a plain file.
    return major === undefined || (major === "0" && records.get("GNU.sparse.size") === undefined) ? {} : undefined;
  }
  const realSize = override(records, "GNU.sparse.size", override(records, "GNU.sparse.realsize", storedSize));
  if (!(realSize >= 0)) return undefined;
  if (oldExtents !== undefined) return { realSize, extents: oldExtents };
  if (mapInData) return { realSize, mapInData };
  const text = (map as Buffer).toString("latin1");
  const extents = text === "" ? [] : pairExtents(text.split(","));
  return extents === undefined ? undefined : { realSize, extents };
}
