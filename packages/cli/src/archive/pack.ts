import { closeSync, createReadStream, openSync, readSync, type Stats } from "node:fs";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type ByteString, byteSlice, bytesOf, type TarEntryInit, type TarInput, tarEntry } from "@boxship/oci/tar";
import { Failure } from "../failure.ts";
import { type CopyPlan, renameEntry } from "./copy-plan.ts";
import { splitPath } from "./paths.ts";

const SLASH = Buffer.from("/");
/** Bytes. Smaller files are read in one go: what a stream costs would be most of their time. */
const SMALL_FILE = 64 * 1024;

/** Names of a directory as bytes, which need not be text, in the order of their bytes; and each with the path before it. */
export async function childrenOf(path: Buffer): Promise<readonly { readonly child: Buffer; readonly path: Buffer }[]> {
  const children = (await readdir(path, { encoding: "buffer" })).toSorted((a, b) => Buffer.compare(a, b));
  return children.map((child) => ({ child, path: Buffer.concat([path, SLASH, child]) }));
}

/** The name of what is in a directory. */
export function nameBelow(name: ByteString, child: Buffer): ByteString {
  return `${name}/${byteSlice(child, 0, child.length)}` as ByteString;
}

/** Files that are archived already, by device and inode: the next name of one is a link to the first. */
export type Seen = Map<string, ByteString>;

function entryType(stats: Stats): TarEntryInit["type"] | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isFIFO()) return "fifo";
  if (stats.isCharacterDevice()) return "character";
  return stats.isBlockDevice() ? "block" : undefined;
}

/** Linux' device number as major and minor. */
function deviceNumbers(rdev: number) {
  const device = BigInt(rdev);
  return {
    deviceMajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    deviceMinor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

/** One member; undefined for a socket. */
export async function describeEntry(
  path: string | Buffer,
  name: ByteString,
  stats: Stats,
  seen: Seen,
): Promise<TarInput | undefined> {
  const type = entryType(stats);
  // A socket means nothing without the process that listens on it.
  if (type === undefined) return undefined;
  const common = {
    name,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    mtime: Math.floor(stats.mtimeMs / 1000),
  };
  if (type === "symlink") {
    return {
      entry: tarEntry({ ...common, type, linkName: (await readlink(path, { encoding: "latin1" })) as ByteString }),
    };
  }
  if (type === "character" || type === "block") {
    return { entry: tarEntry({ ...common, type, ...deviceNumbers(stats.rdev) }) };
  }
  if (type !== "file") return { entry: tarEntry({ ...common, type }) };
  const identity = `${stats.dev}:${stats.ino}`;
  const first = seen.get(identity);
  if (first !== undefined) return { entry: tarEntry({ ...common, type: "link", linkName: first }) };
  if (stats.nlink > 1) seen.set(identity, name);
  const { size } = stats;
  const entry = tarEntry({ ...common, type, size });
  // A file that grows meanwhile is cut at the size that was announced.
  if (size === 0) return { entry };
  return { entry, body: size > SMALL_FILE ? createReadStream(path, { end: size - 1 }) : readSmall(path, size) };
}

function readSmall(path: string | Buffer, size: number): Buffer {
  const file = openSync(path, "r");
  try {
    const content = Buffer.allocUnsafe(size);
    let length = 0;
    for (let read = 1; read > 0 && length < size; length += read)
      read = readSync(file, content, length, size - length, null);
    return content.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

async function* walk(path: Buffer, name: ByteString, plan: CopyPlan, seen: Seen): AsyncGenerator<TarInput> {
  const stats = await lstat(path);
  const input = await describeEntry(path, renameEntry(name, plan), stats, seen);
  if (input !== undefined) yield input;
  if (!stats.isDirectory()) return;
  for (const below of await childrenOf(path)) yield* walk(below.path, nameBelow(name, below.child), plan, seen);
}

/** The members of an archive of a local file or directory, renamed as planned. */
export async function* packPath(path: string, plan: CopyPlan): AsyncGenerator<TarInput> {
  const { directory, base } = splitPath(path);
  yield* walk(Buffer.from(join(directory, base)), bytesOf(base), plan, new Map());
}

/** What a local source is; the end of the path is followed only where links are, or where it must be a directory. */
export async function sourceInfo(path: string, followLink: boolean) {
  const { directory, base } = splitPath(path);
  const parent = await realpath(directory);
  const resolved =
    followLink && base !== "." ? await realpath(join(parent, base)) : `${parent === "/" ? "" : parent}/${base}`;
  const stats = await lstat(resolved);
  if (path.endsWith("/") && !stats.isDirectory() && !stats.isSymbolicLink()) throw new Failure("not a directory");
  return { path: resolved, exists: true, isDirectory: stats.isDirectory() };
}
