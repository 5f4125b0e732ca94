import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  descriptorPath,
  type Fd,
  type FileStatus,
  FileType,
  FUSE_OPAQUE_FILES,
  fgetxattr,
  flistxattr,
  fstat,
  type IdMaps,
  idInside,
  isOpaque,
  isWhiteout,
  lgetxattr,
  llistxattr,
  OpenFlag,
  openat,
  pread,
  readlinkat,
  type SystemPath,
  seekData,
  seekHole,
  statx,
} from "@boxship/kernel";
import { OPAQUE_WHITEOUT, systemPath, WHITEOUT_PREFIX } from "../apply/names.ts";
import { type ByteString, byteSlice, bytesOf, toText } from "../tar/bytes.ts";
import { tarEntry } from "../tar/encoder.ts";
import type { SparseExtent, TarEntry } from "../tar/entry.ts";
import { TarWriter } from "../tar/writer.ts";

export interface PackOptions {
  /** Turn overlay's marks back into `.wh.` entries; else they are left out. @default false */
  readonly whiteouts?: boolean;
  /** Latest modification time, in seconds since the epoch: later ones are set to it. @default unlimited */
  readonly latestMtime?: number;
  /**
   * Paths from the packed directory, without a leading slash, that are left out with all that lies in them.
   * @default none
   */
  readonly exclude?: ReadonlySet<string>;
  /** Names in the archive of directories that are written without what lies in them. @default none */
  readonly hollow?: ReadonlySet<string>;
  /** A user namespace in whose ids owners are written; those it does not have are the overflow id's. @default ours */
  readonly ids?: IdMaps;
}

/** What an owner without an id is shown as, everywhere in Linux. */
const OVERFLOW_ID = 65_534;

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;
// A device or fifo that takes a file's place must not be waited for.
const READ = OpenFlag.ReadOnly | OpenFlag.NoFollow | OpenFlag.NonBlock | OpenFlag.NoControllingTerminal;
const SECOND = 1_000_000_000n;
/** Holes below this are written as zeros: the map would cost as much. */
const WORTHWHILE_HOLES = 64 * 1024;
const MOST_EXTENTS = 10_000;
const EMPTY = "" as ByteString;

/**
 * Writes directory trees as a tar archive, in sorted order, as a sequence of large pieces.
 *
 * Files with several links are written once and linked afterwards; holes are kept; sockets are left out. Attributes are
 * kept except those that belong to the host: overlay's marks and SELinux labels. The tree may change meanwhile: what
 * vanishes is left out, a file that shrinks is filled up with zeros.
 */
export class TreePacker {
  readonly #options: PackOptions;
  readonly #writer: TarWriter;
  readonly #links = new Map<string, ByteString>();
  #ready: Buffer[] = [];

  constructor(options: PackOptions = {}) {
    this.#options = options;
    this.#writer = new TarWriter((piece) => void this.#ready.push(piece));
  }

  /**
   * Writes what lies in an open directory.
   *
   * @param prefix put before each name: empty, or with a slash at its end
   */
  *content(directory: Fd, prefix: ByteString): Generator<Buffer> {
    for (const name of sortedNames(directory)) {
      if (this.#options.whiteouts === true && FUSE_OPAQUE_FILES.has(name)) continue;
      yield* this.#member(directory, name, prefix);
    }
  }

  /** Writes the entry of an open directory itself, under a name. */
  *self(directory: Fd, name: ByteString): Generator<Buffer> {
    this.#writer.entry(this.#describe(fstat(directory), "directory", name, attributesOf(directory)));
    if (this.#options.whiteouts === true && isOpaque(directory)) {
      this.#writer.entry(tarEntry({ type: "file", name: `${name}/${OPAQUE_WHITEOUT}` as ByteString, mode: 0 }));
    }
    yield* this.#take();
  }

  /** Writes one member of a directory under another name, with what lies in it. */
  *named(directory: Fd, base: ByteString, name: ByteString): Generator<Buffer> {
    yield* this.#write(directory, base, name);
  }

  /** Ends the archive. */
  *finish(): Generator<Buffer> {
    this.#writer.finish();
    yield* this.#take();
  }

  *#take(): Generator<Buffer> {
    const pieces = this.#ready;
    if (pieces.length === 0) return;
    this.#ready = [];
    yield* pieces;
  }

  *#member(directory: Fd, base: ByteString, prefix: ByteString): Generator<Buffer> {
    const name = `${prefix}${base}` as ByteString;
    const { exclude } = this.#options;
    if (exclude !== undefined && exclude.size > 0 && exclude.has(toText(name))) return;
    try {
      yield* this.#write(directory, base, name);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  *#write(directory: Fd, base: ByteString, name: ByteString): Generator<Buffer> {
    const path = systemPath(base);
    const status = statx(directory, path);
    switch (status.mode & FileType.Mask) {
      case FileType.Directory: {
        using inner = openat(directory, path, DIRECTORY);
        yield* this.self(inner, name);
        if (this.#options.hollow?.has(toText(name)) === true) return;
        yield* this.content(inner, name === "/" ? name : (`${name}/` as ByteString));
        return;
      }
      case FileType.Regular:
        yield* this.#file(directory, path, status, name);
        return;
      case FileType.Socket:
        return;
      default:
        this.#node(directory, path, status, name);
        yield* this.#take();
    }
  }

  #node(directory: Fd, path: SystemPath, status: FileStatus, name: ByteString): void {
    if (isWhiteout(status)) {
      if (this.#options.whiteouts !== true) return;
      const slash = name.lastIndexOf("/") + 1;
      const marked = `${name.slice(0, slash)}${WHITEOUT_PREFIX}${name.slice(slash)}` as ByteString;
      this.#writer.entry(tarEntry({ type: "file", name: marked, mode: 0 }));
      return;
    }
    if (this.#linkAgain(status, name)) return;
    const at = Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), Buffer.from(path)]);
    const xattrs = attributes(llistxattr(at), (attribute) => lgetxattr(at, attribute));
    const type = status.mode & FileType.Mask;
    if (type === FileType.Symlink) {
      const target = readlinkat(directory, path);
      const linkName = byteSlice(target, 0, target.length);
      this.#writer.entry({ ...this.#describe(status, "symlink", name, xattrs), linkName });
    } else if (type === FileType.Fifo) this.#writer.entry(this.#describe(status, "fifo", name, xattrs));
    else {
      const kind = type === FileType.Block ? "block" : "character";
      const { major, minor } = status.rdev;
      this.#writer.entry({ ...this.#describe(status, kind, name, xattrs), deviceMajor: major, deviceMinor: minor });
    }
  }

  *#file(directory: Fd, path: SystemPath, before: FileStatus, name: ByteString): Generator<Buffer> {
    if (this.#linkAgain(before, name)) return;
    using file = openat(directory, path, READ);
    const status = fstat(file);
    if ((status.mode & FileType.Mask) !== FileType.Regular) return;
    const sparse = extentsOf(file, status);
    const entry = this.#describe(status, "file", name, attributesOf(file));
    this.#writer.entry({ ...entry, size: status.size, sparse });
    for (const { offset, length } of sparse ?? [{ offset: 0, length: status.size }]) {
      yield* this.#region(file, offset, length);
    }
    yield* this.#take();
  }

  *#region(file: Fd, offset: number, length: number): Generator<Buffer> {
    let ended = false;
    for (let done = 0; done < length; ) {
      const room = this.#writer.room(length - done);
      const count: number = ended ? 0 : pread(file, room, offset + done);
      ended = count === 0;
      if (ended) room.fill(0);
      const taken = ended ? room.length : count;
      this.#writer.advance(taken);
      done += taken;
      yield* this.#take();
    }
  }

  #linkAgain(status: FileStatus, name: ByteString): boolean {
    if (status.links < 2) return false;
    const key = `${status.dev.major}:${status.dev.minor}:${status.inode}`;
    const first = this.#links.get(key);
    if (first === undefined) {
      this.#links.set(key, name);
      return false;
    }
    this.#writer.entry({ ...this.#describe(status, "link", name, undefined), linkName: first });
    return true;
  }

  #ownerOf({ uid, gid }: FileStatus): { readonly uid: number; readonly gid: number } {
    const { ids } = this.#options;
    if (ids === undefined) return { uid, gid };
    return { uid: idInside(uid, ids.uids) ?? OVERFLOW_ID, gid: idInside(gid, ids.gids) ?? OVERFLOW_ID };
  }

  #describe(
    status: FileStatus,
    type: TarEntry["type"],
    name: ByteString,
    xattrs: ReadonlyMap<ByteString, Buffer> | undefined,
  ): TarEntry {
    const seconds = status.mtime / SECOND - (status.mtime % SECOND < 0n ? 1n : 0n);
    const late = Number(seconds) >= (this.#options.latestMtime ?? Number.POSITIVE_INFINITY);
    return {
      type,
      name,
      linkName: EMPTY,
      mode: status.mode & 0o7777,
      ...this.#ownerOf(status),
      size: 0,
      mtime: late ? (this.#options.latestMtime as number) : Number(seconds),
      mtimeNanoseconds: late ? 0 : Number(status.mtime - seconds * SECOND),
      deviceMajor: 0,
      deviceMinor: 0,
      userName: EMPTY,
      groupName: EMPTY,
      xattrs,
      sparse: undefined,
    };
  }
}

const OVERLAYS = ["trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."];

function sortedNames(directory: Fd): ByteString[] {
  const names = readdirSync(descriptorPath(directory), { encoding: "latin1" as "utf8" });
  return (names as ByteString[]).sort();
}

function attributesOf(fd: Fd): ReadonlyMap<ByteString, Buffer> | undefined {
  return attributes(flistxattr(fd), (name) => fgetxattr(fd, name));
}

function attributes(
  names: readonly string[],
  read: (name: string) => Buffer | undefined,
): ReadonlyMap<ByteString, Buffer> | undefined {
  let found: Map<ByteString, Buffer> | undefined;
  for (const name of names) {
    if (name === "security.selinux" || OVERLAYS.some((space) => name.startsWith(space))) continue;
    const value = read(name);
    if (value === undefined) continue;
    found ??= new Map();
    found.set(bytesOf(name), value);
  }
  return found;
}

/** The data of a file with holes that are worth it, or undefined. */
function extentsOf(file: Fd, status: FileStatus): SparseExtent[] | undefined {
  if (status.size - status.blocks * 512 < WORTHWHILE_HOLES) return undefined;
  const extents: SparseExtent[] = [];
  for (let start = seekData(file, 0); start !== undefined && start < status.size; ) {
    const end = Math.min(seekHole(file, start) ?? status.size, status.size);
    // Whole blocks, as archives need them; holes of real file systems lie on larger ones.
    if (start % 512 !== 0 || (end % 512 !== 0 && end !== status.size)) return undefined;
    extents.push({ offset: start, length: end - start });
    if (extents.length > MOST_EXTENTS) return undefined;
    start = seekData(file, end);
  }
  return extents;
}
