import type { ByteString } from "./bytes.ts";

export type TarEntryType = "file" | "directory" | "symlink" | "link" | "character" | "block" | "fifo";

/** One member of an archive, whatever dialect (V7, ustar, PAX, GNU) wrote it. */
export interface TarEntry {
  readonly type: TarEntryType;
  /** As written in the archive, without trailing slashes: may be absolute or hold `..`. */
  readonly name: ByteString;
  /** Target of a symlink, or for `link` the name of the earlier entry that is the same file; else empty. */
  readonly linkName: ByteString;
  /** Permission bits with setuid, setgid and sticky (0 to 0o7777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Length of the file in bytes, holes included; 0 for everything but files. */
  readonly size: number;
  /** Whole seconds since the epoch, rounded down; may be negative. */
  readonly mtime: number;
  /** 0 to 999,999,999, added to {@link mtime}. */
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  /** Extended attributes by full name (`security.capability`), values byte for byte. Undefined when there are none. */
  readonly xattrs: ReadonlyMap<ByteString, Buffer> | undefined;
  /** Where the data of a sparse file lies. Undefined when the file has no holes. */
  readonly sparse: readonly SparseExtent[] | undefined;
}

/** A run of data in a sparse file; what lies between runs is a hole. In ascending order, not overlapping; to be written,
 * all but the last must have a length of whole 512-byte blocks. */
export interface SparseExtent {
  readonly offset: number;
  readonly length: number;
}

export const BLOCK = 512;

/** How many bytes of zeros follow `size` bytes of content. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
