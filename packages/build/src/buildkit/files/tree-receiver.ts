import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { FailedPrecondition, InvalidArgument, ResourceExhausted, systemCode } from "@boxship/base/errors";
import { type ValueOf } from "@boxship/grpc";
import {
  CurrentDirectory,
  type FileStatus,
  fchmod,
  fchmodat,
  fchownat,
  futimens,
  lsetxattr,
  makeDevice,
  mknodat,
  statx,
  utimensat,
} from "@boxship/kernel";
import { Packet, PacketType, type Stat } from "../wire/fsutil.ts";
import { fileKind, unixMode } from "./file-mode.ts";
import { type FilePath, latin1Text, pathIn } from "./latin1.ts";

type FileStat = ValueOf<typeof Stat>;

/** A file whose data was asked for. */
interface Wanted {
  readonly path: FilePath;
  readonly stat: FileStat;
  descriptor: number | undefined;
  received: number;
}

const REMOVE = { recursive: true, force: true } as const;

/** What a file may have grown by since it was listed. */
const GROWTH_BYTES = 64 << 20;

/**
 * What is remembered of a list, about: some two million files. A client whose list has no end must not take all memory
 * before it sends the contents of any.
 */
const REMEMBERED_BYTES = 1 << 30;
/** Of a file, beside its names and attributes. */
const ENTRY_BYTES = 400;

/** What a synchronisation did. */
export interface ReceivedTree {
  /** Files, directories and links that are there now. */
  readonly entries: number;
  /** Files whose contents travelled. */
  readonly transferred: number;
  /** Bytes of contents that travelled. */
  readonly bytes: number;
  /** Bytes of all files that are there now. */
  readonly size: number;
}

/**
 * The receiving side of a file synchronisation (fsutil's protocol): makes a directory equal to what the sender lists,
 * and asks only for the contents of files that are new or have another size, time, mode or kind.
 *
 * The directory is private to us and was written by nobody else, and parents are checked to be directories of this very
 * listing, so no link can lead out of it. Synchronous: it runs in a worker. A file that was cut off in the middle has
 * another time than the sender's and is asked for again.
 */
export class TreeReceiver {
  readonly #root: string;
  readonly #send: (packet: Uint8Array) => void;
  /** Names that were listed, by directory. */
  readonly #listed = new Map<string, Set<string>>([["", new Set()]]);
  /** Directories that were made just now: nothing can be in them. */
  readonly #fresh = new Set<string>();
  readonly #directories: { readonly path: FilePath; readonly time: bigint }[] = [];
  /** Hard links; made at the end, when what they repeat is there. */
  readonly #links: { readonly path: FilePath; readonly first: FilePath }[] = [];
  readonly #wanted = new Map<number, Wanted>();
  readonly #mostRemembered: number;
  #remembered = 0;
  #next = 0;
  #complete = false;
  #finishing = false;
  #done = false;
  #transferred = 0;
  #bytes = 0;
  #size = 0;

  /**
   * @param send takes encoded packets for the sender
   * @param mostRemembered bytes that a list may take in memory
   */
  constructor(root: string, send: (packet: Uint8Array) => void, mostRemembered: number = REMEMBERED_BYTES) {
    this.#root = root;
    this.#send = send;
    this.#mostRemembered = mostRemembered;
  }

  /** Everything is there, and the sender knows it. */
  get done(): boolean {
    return this.#done;
  }

  get result(): ReceivedTree {
    return { entries: this.#next, transferred: this.#transferred, bytes: this.#bytes, size: this.#size };
  }

  /** Takes the next packet. @throws InvalidArgument, FailedPrecondition with the sender's words */
  accept(bytes: Uint8Array): void {
    const packet = Packet.decode(bytes);
    switch (packet.type) {
      case PacketType.stat: {
        const { stat } = packet;
        if (stat === undefined) this.#complete = true;
        else told(stat.path, () => this.#list(stat));
        break;
      }
      case PacketType.data:
        told(this.#wanted.get(packet.id)?.stat.path ?? "", () => this.#store(packet.id, packet.data));
        break;
      case PacketType.finish:
        this.#done = true;
        return;
      case PacketType.error:
        throw new FailedPrecondition(`the client cannot send its files: ${Buffer.from(packet.data).toString("utf8")}`);
      default:
        throw new InvalidArgument(`packet of kind ${packet.type} is not expected`);
    }
    if (this.#complete && this.#wanted.size === 0 && !this.#finishing) told("", () => this.#finish());
  }

  /** Lets go of files that are open. */
  [Symbol.dispose](): void {
    for (const { descriptor } of this.#wanted.values()) if (descriptor !== undefined) closeSync(descriptor);
    this.#wanted.clear();
  }

  #list(stat: FileStat): void {
    if (this.#complete) throw new InvalidArgument("a file is listed after the end of the list");
    const id = this.#next++;
    this.#remember(stat);
    const { directory, name, fresh } = this.#place(stat.path);
    directory.add(name);
    const path = pathIn(this.#root, stat.path);
    const mode = unixMode(stat.mode);
    const kind = fileKind(mode);
    if (kind === "directory") this.#listed.set(stat.path, new Set());
    // A socket is of no use to a build.
    if (kind === "socket") {
      directory.delete(name);
      return;
    }
    const before = fresh ? undefined : statusOf(path);
    if (kind === "file" && stat.linkname === "") this.#size += stat.size;
    if (kind === "directory") {
      if (this.#makeDirectory(path, stat, mode, before)) this.#fresh.add(stat.path);
      return;
    }
    if (before !== undefined && isSame(path, before, stat, mode)) return;
    if (before !== undefined) rmSync(path, { recursive: true, force: true });
    this.#make(path, stat, mode, id);
  }

  /** @throws ResourceExhausted for a list without end */
  #remember({ path, linkname, xattrs }: FileStat): void {
    this.#remembered += ENTRY_BYTES + 2 * path.length + linkname.length;
    for (const [name, value] of Object.entries(xattrs)) this.#remembered += name.length + value.length;
    if (this.#remembered <= this.#mostRemembered) return;
    throw new ResourceExhausted(`the client lists more than can be remembered: ${this.#next} files so far`, {
      remedy: "name what the build does not need in .dockerignore",
    });
  }

  /** Checks a path: relative, clean, new, and below a directory of this list. */
  #place(path: string): { readonly directory: Set<string>; readonly name: string; readonly fresh: boolean } {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const parent = slash < 0 ? "" : path.slice(0, slash);
    const directory = this.#listed.get(parent);
    const clean = name !== "" && name !== "." && name !== ".." && !name.includes("\0");
    if (directory === undefined || !clean) throw new InvalidArgument(`path ${shown(path)} is not acceptable`);
    if (directory.has(name)) throw new InvalidArgument(`path ${shown(path)} is listed twice`);
    return { directory, name, fresh: this.#fresh.has(parent) };
  }

  /** @returns whether it was not there */
  #makeDirectory(path: FilePath, stat: FileStat, mode: number, before: FileStatus | undefined): boolean {
    const made = before === undefined || fileKind(before.mode) !== "directory";
    if (made) {
      if (before !== undefined) unlinkSync(path);
      mkdirSync(path, 0o700);
    }
    // Writable for us until the end; root writes anyway.
    applyMetadata(path, stat, mode);
    this.#directories.push({ path, time: stat.modTime });
    return made;
  }

  #make(path: FilePath, stat: FileStat, mode: number, id: number): void {
    const kind = fileKind(mode);
    if (kind === "file" && stat.linkname !== "") {
      this.#links.push({ path, first: pathIn(this.#root, this.#earlier(stat.linkname, stat.path)) });
      return;
    }
    if (kind === "file") {
      this.#wanted.set(id, { path, stat, descriptor: undefined, received: 0 });
      this.#send(Packet.encode({ type: PacketType.request, id }));
      return;
    }
    if (kind === "symlink") {
      if (stat.linkname.includes("\0")) throw new InvalidArgument(`link ${shown(stat.path)} leads to a zero byte`);
      symlinkSync(Buffer.from(stat.linkname, "latin1"), path);
    } else mknodat(CurrentDirectory, path, mode, deviceOf(stat));
    applyMetadata(path, stat, mode);
    utimensat(CurrentDirectory, path, { mtime: stat.modTime });
  }

  /** The name that a hard link repeats; it was listed before. */
  #earlier(path: string, from: string): string {
    const slash = path.lastIndexOf("/");
    const directory = this.#listed.get(slash < 0 ? "" : path.slice(0, slash));
    if (path === from || directory?.has(path.slice(slash + 1)) !== true)
      throw new InvalidArgument(`link to ${shown(path)}, which was not listed`);
    return path;
  }

  #store(id: number, data: Uint8Array): void {
    const wanted = this.#wanted.get(id);
    if (wanted === undefined) throw new InvalidArgument(`data of file ${id}, which was not asked for`);
    wanted.descriptor ??= openSync(wanted.path, "wx", 0o600);
    if (data.length > 0) {
      this.#bytes += data.length;
      wanted.received += data.length;
      // A file may grow while it is sent, but not without end.
      if (wanted.received > Math.max(wanted.stat.size, 0) + GROWTH_BYTES)
        throw new InvalidArgument(
          `${shown(wanted.stat.path)} is larger than the ${wanted.stat.size} bytes that the client listed`,
        );
      for (let rest = data; rest.length > 0; ) rest = rest.subarray(writeSync(wanted.descriptor, rest));
      return;
    }
    this.#wanted.delete(id);
    this.#transferred++;
    try {
      applyMetadata(wanted.path, wanted.stat, unixMode(wanted.stat.mode), wanted.descriptor);
      futimens(wanted.descriptor, { mtime: wanted.stat.modTime });
    } finally {
      closeSync(wanted.descriptor);
    }
  }

  /** Removes what was not listed, sets the times of directories, and tells the sender. */
  #finish(): void {
    this.#finishing = true;
    for (const { path, first } of this.#links) linkSync(first, path);
    for (const [path, names] of this.#listed) {
      const directory = pathIn(this.#root, path);
      for (const name of readdirSync(directory, "latin1")) {
        if (!names.has(name)) rmSync(pathIn(this.#root, path === "" ? name : `${path}/${name}`), REMOVE);
      }
    }
    for (const { path, time } of this.#directories) utimensat(CurrentDirectory, path, { mtime: time });
    this.#send(Packet.encode({ type: PacketType.finish }));
  }
}

/** What the client may be told of: mistakes in what it sent; what else the system says of this machine is not its fault. */
const MISTAKES = new Set([
  "ENAMETOOLONG",
  "ENOENT",
  "EINVAL",
  "EPERM",
  "E2BIG",
  "ERANGE",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EEXIST",
]);

/** Does something with a file that the client has described. */
function told(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const code = systemCode(error) ?? "";
    const remedy = "free space on the engine's disk";
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new ResourceExhausted("no space left on device for the client's files", { cause: error, remedy });
    if (!MISTAKES.has(code)) throw error;
    const what = path === "" ? "the client's files" : shown(path);
    throw new InvalidArgument(`${what} cannot be made here: ${code}`, { cause: error });
  }
}

/** A path in a message, however long it is. */
function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `${latin1Text(path.slice(0, 200))}…` : latin1Text(path));
}

function deviceOf({ path, devMajor: major, devMinor: minor }: FileStat): bigint {
  const isNumber = (number: number) => number >= 0 && number < 2 ** 32;
  if (isNumber(major) && isNumber(minor)) return makeDevice(major, minor);
  throw new InvalidArgument(`${shown(path)} is a device with numbers that there are not: ${major}:${minor}`);
}

function statusOf(path: FilePath): FileStatus | undefined {
  try {
    return statx(CurrentDirectory, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

function isSame(path: FilePath, before: FileStatus, stat: FileStat, mode: number): boolean {
  if (before.mode !== mode && fileKind(mode) !== "symlink") return false;
  if (before.uid !== stat.uid || before.gid !== stat.gid) return false;
  switch (fileKind(mode)) {
    case "file":
      // A hard link's time is that of its first name; two names of one file here may be two files by now.
      return stat.linkname === "" && before.links === 1 && before.size === stat.size && before.mtime === stat.modTime;
    case "symlink":
      return fileKind(before.mode) === "symlink" && readlinkSync(path, "latin1") === stat.linkname;
    default:
      return before.rdev.major === stat.devMajor && before.rdev.minor === stat.devMinor;
  }
}

function applyMetadata(path: FilePath, stat: FileStat, mode: number, descriptor?: number): void {
  if (stat.uid !== 0 || stat.gid !== 0) fchownat(CurrentDirectory, path, stat.uid, stat.gid);
  if (descriptor !== undefined) fchmod(descriptor, mode & 0o7777);
  else if (fileKind(mode) !== "symlink") fchmodat(CurrentDirectory, path, mode & 0o7777);
  for (const [name, value] of Object.entries(stat.xattrs)) {
    // Labels of the client's host mean nothing here.
    if (name.startsWith("user.") || name === "security.capability") lsetxattr(path, name, value);
  }
}
