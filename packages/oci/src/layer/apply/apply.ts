import { InvalidArgument, systemCode } from "@boxship/base/errors";
import {
  type Fd,
  FileType,
  fsetxattr,
  fstat,
  ftruncate,
  type IdMaps,
  idOutside,
  inUserNamespace,
  isWhiteout,
  linkat,
  makeDevice,
  makeWhiteout,
  mkdirat,
  mknodat,
  OpenFlag,
  openat,
  pwriteAll,
  type SystemPath,
  statx,
  symlinkat,
  unlinkat,
  writeAll,
} from "@boxship/kernel";
import { type ByteString, quote, toText } from "../tar/bytes.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarHandler } from "../tar/parser.ts";
import { Directories, type OpenDirectory } from "./directories.ts";
import { explainFailure } from "./failure.ts";
import {
  applyToDescriptor,
  applyToName,
  currentUmask,
  type MetadataChange,
  mtimeOf,
  type Ownership,
} from "./metadata.ts";
import { AUFS_PREFIX, baseOf, OPAQUE_WHITEOUT, parentOf, pathInRoot, systemPath, WHITEOUT_PREFIX } from "./names.ts";
import { removeTree } from "./remove-tree.ts";

export interface ApplyOptions {
  /**
   * What `.wh.` names mean: `overlay` turns them into the marks that overlayfs reads (the tree is one layer of its own);
   * `plain` takes every name for what it is.
   */
  readonly whiteouts: "overlay" | "plain";
  /** Attribute namespace of the marks: `user` for overlays mounted with `userxattr`. @default "trusted" */
  readonly overlayXattrs?: "trusted" | "user";
  /** Refuse to put a file in the place of a directory and the reverse. @default false: replace */
  readonly noOverwriteDirNonDir?: boolean;
  /** Owner of everything that is written. @default each entry's own */
  readonly owner?: Ownership;
  /** A user namespace whose ids owners are. @default ours */
  readonly ids?: IdMaps;
  /**
   * Directory below the root that names of entries and hard links start from, while symbolic links are resolved from the
   * root. @default the root
   */
  readonly base?: ByteString;
  /** With plain names: the archive's entry for the root sets the root's attributes. @default they stay */
  readonly wholeTree?: boolean;
  /** Called before each entry; throws to stop. */
  readonly checkpoint?: () => void;
}

const OPAQUE_VALUE = Buffer.from("y");
const CREATE = OpenFlag.WriteOnly | OpenFlag.Create | OpenFlag.Exclusive | OpenFlag.NoFollow;
const REOPEN = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;
const SPECIAL_BITS = 0o7000;
const WARNINGS = 20;

const NODE_TYPES = { character: FileType.Character, block: FileType.Block, fifo: FileType.Fifo } as const;

/**
 * Writes the members of an archive into a directory tree, as a {@link TarHandler}.
 *
 * Nothing is ever written outside the root, whatever the names and links in the archive say: parents are opened by the
 * kernel relative to the root, and the last component is never followed. Later entries replace earlier ones of the same
 * name; a directory that is listed twice keeps its content. {@link finish} must be called at the end, and the applier
 * disposed of.
 */
export class TarApplier implements TarHandler, Disposable {
  readonly #directory: string;
  readonly #options: ApplyOptions;
  readonly #root: Fd;
  readonly #directories: Directories;
  readonly #umask = currentUmask();
  readonly #own: Ownership = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  readonly #warnings = new Set<string>();
  readonly #deferred: { readonly path: ByteString; readonly name: string; readonly value: Buffer }[] = [];
  #file: Fd | undefined;
  #fileParent: OpenDirectory | undefined;
  #fileEntry: TarEntry | undefined;
  #sparse = false;
  /** Set when a directory or link went away: paths that are kept open may lead elsewhere now. */
  #stale = false;
  #rootListed = false;
  #entries = 0;
  #bytes = 0;

  /** @param directory the root of the tree; must exist */
  constructor(directory: string, options: ApplyOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#root = openat(-100, directory, OpenFlag.ReadOnly | OpenFlag.Directory);
    const layered = options.whiteouts === "overlay";
    const marks = layered ? { markOpaque: (made: Fd) => this.#setOpaque(made) } : {};
    const { ids } = options;
    const owner = ids === undefined ? {} : { impliedOwner: outsideOwner({ uid: 0, gid: 0 }, ids) };
    this.#directories = new Directories(this.#root, { keepTimes: layered, ...marks, ...owner });
  }

  /** Members so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Bytes of file content so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was left out and why, the first few of each kind. */
  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** Directories that the archive does not list although something lies in them, as text, parents first; "" is the root. */
  get implied(): readonly string[] {
    const implied = [...this.#directories.implied].map(toText);
    return this.#rootListed ? implied : ["", ...implied];
  }

  entry(entry: TarEntry): void {
    this.#options.checkpoint?.();
    this.#entries++;
    this.#guard(entry, () => this.#place(entry));
  }

  data(chunk: Buffer, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#bytes += chunk.length;
    try {
      if (this.#sparse) pwriteAll(file, chunk, offset);
      else writeAll(file, chunk);
    } catch (error) {
      throw explainFailure(error, `tar entry ${quote(this.#fileEntry?.name ?? "")}`, this.#directory);
    }
  }

  end(entry: TarEntry): void {
    if (this.#file !== undefined) this.#guard(entry, () => this.#finishFile(entry));
  }

  /** Sets what can only be set once everything is in place. */
  finish(): void {
    for (const { path, name, value } of this.#deferred) {
      const directory = this.#directories.find(path);
      if (directory !== undefined) fsetxattr(directory.fd, name, value);
    }
    this.#directories.forget();
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
    this.#directories[Symbol.dispose]();
    this.#root.close();
  }

  #guard(entry: TarEntry, action: () => void): void {
    try {
      action();
    } catch (error) {
      throw explainFailure(error, `tar entry ${quote(entry.name)}`, this.#directory);
    }
  }

  #place(entry: TarEntry): void {
    if (this.#stale) this.#directories.forget();
    this.#stale = false;
    const path = this.#locate(entry.name);
    if (path === "") {
      this.#describeRoot(entry);
      return;
    }
    // What is unpacked into a directory that was there before does not change the directory itself.
    if (path === this.#options.base) return;
    const base = baseOf(path);
    if (this.#options.whiteouts === "overlay") {
      if (path.startsWith(AUFS_PREFIX) && path !== OPAQUE_WHITEOUT) {
        this.#warn(`${quote(entry.name)}: bookkeeping of aufs is not part of the image`);
        return;
      }
      if (base.startsWith(WHITEOUT_PREFIX)) {
        this.#whiteout(parentOf(path), base);
        return;
      }
    }
    const parent = this.#directories.enter(parentOf(path));
    const name = systemPath(base);
    switch (entry.type) {
      case "file":
        this.#startFile(entry, parent, name);
        return;
      case "directory":
        this.#makeDirectory(entry, path, parent, name);
        return;
      case "link":
        this.#link(entry, path, parent, name);
        return;
      case "symlink":
        if (entry.linkName === "") throw new InvalidArgument("the symbolic link has no target");
        this.#create(entry, parent, name, () => symlinkat(systemPath(entry.linkName), parent.fd, name));
        applyToName(parent.fd, name, entry, this.#change(entry, parent, false));
        return;
      case "character":
      case "block":
      case "fifo": {
        const mode = NODE_TYPES[entry.type] | (entry.mode & 0o777);
        const device = entry.type === "fifo" ? 0n : makeDevice(entry.deviceMajor, entry.deviceMinor);
        if (entry.type !== "fifo" && inUserNamespace()) {
          this.#warn(`${quote(entry.name)}: device nodes cannot be made without root`);
          return;
        }
        this.#create(entry, parent, name, () => mknodat(parent.fd, name, mode, device));
        applyToName(parent.fd, name, entry, this.#change(entry, parent, this.#modeDiffers(entry)));
      }
    }
  }

  /** Where a name of the archive lies below the root. */
  #locate(name: ByteString): ByteString {
    const path = pathInRoot(name);
    const { base } = this.#options;
    if (base === undefined || base === "") return path;
    return path === "" ? base : (`${base}/${path}` as ByteString);
  }

  /** The entry for the root itself. */
  #describeRoot(entry: TarEntry): void {
    if (entry.type !== "directory") throw new InvalidArgument(`the root cannot be a ${entry.type}`);
    if (this.#options.whiteouts === "plain" && this.#options.wholeTree !== true) return;
    const root = this.#directories.enter("" as ByteString);
    const owner = this.#ownerOf(entry);
    applyToDescriptor(root.fd, entry, { ...this.#change(entry, root, true), owner, setTime: false });
    root.mtime = mtimeOf(entry);
    this.#rootListed = true;
  }

  #whiteout(parentPath: ByteString, base: ByteString): void {
    const parent = this.#directories.enter(parentPath);
    if (base === OPAQUE_WHITEOUT) {
      this.#setOpaque(parent.fd);
      return;
    }
    const target = base.slice(WHITEOUT_PREFIX.length) as ByteString;
    if (target === "" || target === "." || target === "..") {
      throw new InvalidArgument("the whiteout names no file");
    }
    const name = systemPath(target);
    try {
      makeWhiteout(parent.fd, name);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      // Whiteouts are about the layers below: what this layer brings itself stays, in whatever order they come.
      const isDirectory = (statx(parent.fd, name).mode & FileType.Mask) === FileType.Directory;
      if (!isDirectory) return;
      using directory = openat(parent.fd, name, REOPEN);
      this.#setOpaque(directory);
    }
  }

  #setOpaque(directory: Fd): void {
    fsetxattr(directory, `${this.#options.overlayXattrs ?? "trusted"}.overlay.opaque`, OPAQUE_VALUE);
  }

  #startFile(entry: TarEntry, parent: OpenDirectory, name: SystemPath): void {
    const open = () => openat(parent.fd, name, CREATE, entry.mode & 0o777);
    this.#file = this.#create(entry, parent, name, open);
    this.#fileParent = parent;
    this.#fileEntry = entry;
    this.#sparse = entry.sparse !== undefined;
  }

  #finishFile(entry: TarEntry): void {
    const file = this.#file as Fd;
    const parent = this.#fileParent as OpenDirectory;
    try {
      if (this.#sparse) ftruncate(file, entry.size);
      applyToDescriptor(file, entry, this.#change(entry, parent, this.#modeDiffers(entry)));
    } finally {
      this.#file = undefined;
      file.close();
    }
  }

  #makeDirectory(entry: TarEntry, path: ByteString, parent: OpenDirectory, name: SystemPath): void {
    let opaque = false;
    let fd: Fd;
    try {
      mkdirat(parent.fd, name, 0o700);
      fd = openat(parent.fd, name, REOPEN);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      const status = statx(parent.fd, name);
      if ((status.mode & FileType.Mask) !== FileType.Directory) {
        opaque = this.#options.whiteouts === "overlay" && isWhiteout(status);
        this.#clear(entry, parent, name, opaque);
        mkdirat(parent.fd, name, 0o700);
      }
      fd = openat(parent.fd, name, REOPEN);
    }
    const directory = this.#describe(path, fd, entry);
    if (opaque) this.#setOpaque(directory.fd);
    directory.mtime = mtimeOf(entry);
  }

  /** Sets owner, attributes and mode of a directory that has just been opened, and keeps it for its children. */
  #describe(path: ByteString, fd: Fd, entry: TarEntry): OpenDirectory {
    try {
      const before = fstat(fd);
      const owner = this.#ownerOf(entry);
      const chown = before.uid !== owner.uid || before.gid !== owner.gid;
      const chmod = (before.mode & 0o7777) !== entry.mode || chown;
      applyToDescriptor(fd, entry, {
        owner: chown ? owner : undefined,
        chmod,
        setTime: false,
        onSkipped: (name, reason) => this.#warn(`${quote(entry.name)}: ${name}: ${reason}`),
        onDeferred: (name, value) => void this.#deferred.push({ path, name, value }),
      });
      const status = { ...before, ...owner, mode: (before.mode & FileType.Mask) | entry.mode };
      return this.#directories.add(path, fd, status);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  #link(entry: TarEntry, path: ByteString, parent: OpenDirectory, name: SystemPath): void {
    const target = this.#locate(entry.linkName);
    if (target === "") throw new InvalidArgument("the hard link has no target");
    if (target === path) throw new InvalidArgument("the hard link is its own target");
    const directory = this.#directories.find(parentOf(target));
    const missing = () =>
      new InvalidArgument(`the hard link's target ${quote(target)} is not in the archive before it`);
    if (directory === undefined) throw missing();
    const targetName = systemPath(baseOf(target));
    let status: ReturnType<typeof statx>;
    try {
      status = statx(directory.fd, targetName);
    } catch (error) {
      if (systemCode(error) === "ENOENT") throw missing();
      throw error;
    }
    if ((status.mode & FileType.Mask) === FileType.Directory) {
      throw new InvalidArgument(`the hard link's target ${quote(target)} is a directory`);
    }
    if (this.#options.whiteouts === "overlay" && isWhiteout(status)) throw missing();
    try {
      linkat(directory.fd, targetName, parent.fd, name);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      const there = statx(parent.fd, name);
      // It is that file already, by this or another name of its directory.
      if (there.inode === status.inode && there.mountId === status.mountId) return;
      if (`${target}/`.startsWith(`${path}/`))
        throw new InvalidArgument("the hard link is in the way of its own target");
      this.#create(entry, parent, name, () => linkat(directory.fd, targetName, parent.fd, name));
    }
  }

  /** Runs `make`, which must not replace anything; what is in its way is removed first. */
  #create<T>(entry: TarEntry, parent: OpenDirectory, name: SystemPath, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
    this.#clearForFile(entry, parent, name);
    return make();
  }

  /** Removes what is in the way of something that is no directory. */
  #clearForFile(entry: TarEntry, parent: OpenDirectory, name: SystemPath): void {
    const isDirectory = (statx(parent.fd, name).mode & FileType.Mask) === FileType.Directory;
    if (isDirectory && this.#options.noOverwriteDirNonDir === true) {
      throw new InvalidArgument("cannot overwrite a directory with a non-directory");
    }
    this.#clear(entry, parent, name, false);
  }

  #clear(entry: TarEntry, parent: OpenDirectory, name: SystemPath, whiteout: boolean): void {
    if (entry.type === "directory" && this.#options.noOverwriteDirNonDir === true && !whiteout) {
      throw new InvalidArgument("cannot overwrite a non-directory with a directory");
    }
    const type = statx(parent.fd, name).mode & FileType.Mask;
    if (type !== FileType.Directory && type !== FileType.Symlink) {
      unlinkat(parent.fd, name);
      return;
    }
    removeTree(parent.fd, name);
    this.#stale = true;
  }

  /** Whether a file that was created with the entry's mode does not have it yet. */
  #modeDiffers(entry: TarEntry): boolean {
    if ((entry.mode & SPECIAL_BITS) !== 0 || (entry.mode & this.#umask) !== 0) return true;
    // Directories that were there before may have a default access list, which changes the mode.
    return this.#options.whiteouts === "plain";
  }

  #ownerOf(entry: TarEntry): Ownership {
    const owner = this.#options.owner ?? entry;
    const { ids } = this.#options;
    return ids === undefined ? owner : outsideOwner(owner, ids);
  }

  #change(entry: TarEntry, parent: OpenDirectory, chmod: boolean): MetadataChange {
    const owner = this.#ownerOf(entry);
    const right = owner.uid === this.#own.uid && owner.gid === this.#own.gid && !parent.passesGroup;
    return {
      owner: right ? undefined : owner,
      chmod,
      setTime: true,
      onSkipped: (name, reason) => this.#warn(`${quote(entry.name)}: ${name}: ${reason}`),
      onDeferred: (name) => this.#warn(`${quote(entry.name)}: ${name} is only for directories`),
    };
  }

  #warn(message: string): void {
    if (this.#warnings.size < WARNINGS) this.#warnings.add(message);
  }
}

function outsideOwner({ uid, gid }: Ownership, { uids, gids }: IdMaps): Ownership {
  const outside = (kind: string, id: number, found: number | undefined): number => {
    if (found !== undefined) return found;
    throw new InvalidArgument(`Container ID ${id} cannot be mapped to a host ID: the container has no such ${kind}`);
  };
  return { uid: outside("user", uid, idOutside(uid, uids)), gid: outside("group", gid, idOutside(gid, gids)) };
}
