import { InvalidArgument, systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  type Fd,
  type FileStatus,
  FileType,
  fchownat,
  fstat,
  futimens,
  isWhiteout,
  mkdirat,
  OpenFlag,
  openat,
  openat2,
  ResolveFlag,
  readlinkat,
  type SystemPath,
  statx,
  unlinkat,
} from "@boxship/kernel";
import { type ByteString, byteSlice, quote } from "../tar/bytes.ts";
import { parentOf, pathInRoot, systemPath } from "./names.ts";

const SET_GROUP_ID = 0o2000;
// As many links as the kernel follows in one path.
const LINKS = 40;
/** Directories that are kept open. Archives are written depth first, so a few per level are enough. */
const KEPT_OPEN = 128;
const IN_ROOT = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;

/** A directory that is held open; several paths lead to it when there are symbolic links. */
export interface OpenDirectory {
  readonly fd: Fd;
  readonly keys: ByteString[];
  readonly inode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Whether files that are created in it take its group. */
  readonly passesGroup: boolean;
  /** Time to be set when it is closed, as every change of its entries changes it. */
  mtime: bigint | undefined;
}

export interface DirectoriesOptions {
  /**
   * Whether a directory that was finished and is entered once more keeps its time. Right for a tree that is ours alone.
   */
  readonly keepTimes: boolean;
  /** Makes a directory hide what lies below it; given where whiteouts have a meaning. */
  readonly markOpaque?: (directory: Fd) => void;
  /** Owner of directories that nobody lists. @default this process's */
  readonly impliedOwner?: { readonly uid: number; readonly gid: number };
}

/**
 * The directories of a tree, by path. Every path is resolved by the kernel with the root as `/` (`openat2` with
 * `RESOLVE_IN_ROOT`): neither `..` nor any symbolic link in the tree leads out of it. A bounded number stays open.
 */
export class Directories implements Disposable {
  readonly #root: Fd;
  readonly #options: DirectoriesOptions;
  readonly #byPath = new Map<ByteString, OpenDirectory>();
  readonly #byInode = new Map<string, OpenDirectory>();
  readonly #implied = new Set<ByteString>();
  #lastPath: ByteString | undefined;
  #last: OpenDirectory | undefined;

  /** @param root stays the caller's */
  constructor(root: Fd, options: DirectoriesOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Directories that were made because something lies in them, although the archive does not list them. */
  get implied(): ReadonlySet<ByteString> {
    return this.#implied;
  }

  /** The directory at a path, made with its parents when it does not exist. */
  enter(path: ByteString): OpenDirectory {
    if (path === this.#lastPath && this.#last !== undefined) return this.#last;
    const known = this.#byPath.get(path);
    if (known !== undefined) {
      this.#byPath.delete(path);
      this.#byPath.set(path, known);
    }
    this.#last = undefined;
    const directory = known ?? this.#remember(path, this.#openOrMake(path, 0));
    this.#lastPath = path;
    this.#last = directory;
    return directory;
  }

  /** The directory at a path, or undefined when there is none. */
  find(path: ByteString): OpenDirectory | undefined {
    const known = this.#byPath.get(path);
    if (known !== undefined) return known;
    try {
      return this.#remember(path, this.#open(path));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Takes over a directory that the archive lists and that has just been opened. */
  add(path: ByteString, fd: Fd, status: FileStatus): OpenDirectory {
    this.#implied.delete(path);
    const directory = this.#remember(path, fd, status);
    directory.mtime = undefined;
    return directory;
  }

  /** Forgets what is open: paths may lead elsewhere now. Times are set. */
  forget(): void {
    for (const directory of this.#byInode.values()) close(directory);
    this.#byInode.clear();
    this.#byPath.clear();
    this.#lastPath = undefined;
    this.#last = undefined;
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  #remember(path: ByteString, fd: Fd, known?: FileStatus): OpenDirectory {
    let directory: OpenDirectory | undefined;
    try {
      const status = known ?? fstat(fd);
      const inode = `${status.dev.major}:${status.dev.minor}:${status.inode}`;
      directory = this.#byInode.get(inode);
      if (directory === undefined) {
        directory = {
          fd,
          keys: [path],
          inode,
          uid: status.uid,
          gid: status.gid,
          mode: status.mode & 0o7777,
          passesGroup: (status.mode & SET_GROUP_ID) !== 0,
          mtime: this.#options.keepTimes ? status.mtime : undefined,
        };
        this.#byInode.set(inode, directory);
      } else {
        fd.close();
        if (!directory.keys.includes(path)) directory.keys.push(path);
      }
    } catch (error) {
      fd.close();
      throw error;
    }
    this.#byPath.delete(path);
    this.#byPath.set(path, directory);
    this.#evict(directory);
    return directory;
  }

  #evict(keep: OpenDirectory): void {
    if (this.#byPath.size <= KEPT_OPEN) return;
    for (const oldest of this.#byPath.values()) {
      // The one that was entered last is in use, as the parent of the current entry.
      if (oldest === keep || oldest === this.#last) continue;
      for (const key of oldest.keys) this.#byPath.delete(key);
      this.#byInode.delete(oldest.inode);
      close(oldest);
      return;
    }
  }

  #open(path: ByteString): Fd {
    if (path === "") return this.#root.duplicate();
    return openat2(this.#root, systemPath(path), { flags: DIRECTORY, resolve: IN_ROOT });
  }

  #openOrMake(path: ByteString, links: number): Fd {
    try {
      return this.#open(path);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    using parent = this.#openOrMake(parentOf(path), links);
    const name = systemPath(path.slice(path.lastIndexOf("/") + 1) as ByteString);
    try {
      mkdirat(parent, name, 0o755);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      return this.#openInPlace(path, parent, name, links);
    }
    this.#implied.add(path);
    const { impliedOwner: owner } = this.#options;
    const made = openat(parent, name, DIRECTORY | OpenFlag.NoFollow);
    if (owner !== undefined) fchownat(made, "", owner.uid, owner.gid, AtFlag.EmptyPath);
    return made;
  }

  /** Something of the name is there already. A whiteout gives way: it is about the layers below. */
  #openInPlace(path: ByteString, parent: Fd, name: SystemPath, links: number): Fd {
    const status = statx(parent, name);
    const type = status.mode & FileType.Mask;
    // Its own parents had to be made before it could be reached.
    if (type === FileType.Directory) return openat(parent, name, DIRECTORY | OpenFlag.NoFollow);
    // A link that leads nowhere yet: what it names is implied as well.
    if (type === FileType.Symlink) return this.#openOrMake(linkTarget(path, parent, name, links), links + 1);
    const { markOpaque } = this.#options;
    if (markOpaque === undefined || !isWhiteout(status)) {
      throw new InvalidArgument(`its parent ${quote(path)} is not a directory`);
    }
    unlinkat(parent, name);
    mkdirat(parent, name, 0o755);
    const directory = openat(parent, name, DIRECTORY | OpenFlag.NoFollow);
    markOpaque(directory);
    this.#implied.add(path);
    return directory;
  }
}

function linkTarget(path: ByteString, parent: Fd, name: SystemPath, links: number): ByteString {
  if (links === LINKS) throw new InvalidArgument(`its parent ${quote(path)} is a loop of symbolic links`);
  const bytes = readlinkat(parent, name);
  const target = byteSlice(bytes, 0, bytes.length);
  if (target.startsWith("/")) return clamp(target);
  return clamp(`${parentOf(path)}/${target}` as ByteString);
}

/** A link's target below the root, where `..` of the root is the root. */
function clamp(target: ByteString): ByteString {
  const parts: string[] = [];
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return pathInRoot(parts.join("/") as ByteString);
}

function close(directory: OpenDirectory): void {
  try {
    if (directory.mtime !== undefined) futimens(directory.fd, { mtime: directory.mtime });
  } finally {
    directory.fd.close();
  }
}

function isAbsent(error: unknown): boolean {
  return systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR";
}
