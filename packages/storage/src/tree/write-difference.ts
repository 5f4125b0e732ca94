import {
  CurrentDirectory,
  descriptorPath,
  enterStack,
  type Fd,
  type FileStatus,
  FileType,
  type Found,
  fgetxattr,
  flistxattr,
  fstat,
  lgetxattr,
  llistxattr,
  lookUp,
  makeWhiteout,
  mkdirat,
  OpenFlag,
  openat,
  pread,
  readlinkat,
  type SystemPath,
  statx,
} from "@boxship/kernel";
import { namesIn, systemName } from "./assemble-tree.ts";
import { type CopiedLinks, copyDirectoryMetadata, copyNode } from "./copy-node.ts";
import { TreeMemory } from "./tree-memory.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

export interface DifferenceRequest {
  /** A whole tree. */
  readonly tree: string;
  /** Layers it is compared with, topmost first. */
  readonly lowers: readonly string[];
  /** An existing, empty directory: becomes the layer that makes the tree of the lowers. */
  readonly target: string;
  /** What is known of the tree's files. @default nothing */
  readonly memory?: string;
}

interface Comparison {
  /** "" is the root. */
  readonly path: string;
  readonly tree: Fd;
  readonly below: readonly Fd[];
  /** Opens the directory in the target, made with those above it when it is first asked for. */
  readonly open: () => Fd;
  readonly memory: TreeMemory;
  readonly links: CopiedLinks;
}

/**
 * Writes what a tree has other than its layers: changed and new files whole, whiteouts for what is gone. Unlike overlayfs,
 * which copies a file when it is opened for writing, it leaves out what is the same in the end. Blocks: for worker
 * threads.
 */
export function writeDifference({ tree, lowers, target, memory }: DifferenceRequest): void {
  using open = new DisposableStack();
  const below = lowers.map((path) => open.use(openat(CurrentDirectory, path, DIRECTORY)));
  const root = open.use(openat(CurrentDirectory, tree, DIRECTORY));
  const made = open.use(openat(CurrentDirectory, target, DIRECTORY));
  const known = memory === undefined ? TreeMemory.empty : TreeMemory.read(memory);
  compareDirectory({ path: "", tree: root, below, open: () => made, memory: known, links: new Map() });
  copyDirectoryMetadata(root, made);
}

function compareDirectory(comparison: Comparison): void {
  const { tree, below, open } = comparison;
  const names = namesIn(tree);
  for (const name of names) compareEntry(comparison, name);
  const present = new Set(names);
  for (const name of new Set(below.flatMap(namesIn))) {
    if (!present.has(name) && lookUp(below, systemName(name)) !== undefined) makeWhiteout(open(), systemName(name));
  }
}

function compareEntry(comparison: Comparison, written: string): void {
  const { tree, below, memory, links } = comparison;
  const name = systemName(written);
  const path = `${comparison.path}/${written}`;
  const status = statx(tree, name);
  const isDirectory = (status.mode & FileType.Mask) === FileType.Directory;
  if (!isDirectory && memory.isUntouched(path, status)) return;
  const before = lookUp(below, name);
  if (isDirectory) compareInner(comparison, name, path, before);
  else if ((status.mode & FileType.Mask) === FileType.Socket) return;
  else if (before === undefined || !isSame({ directory: tree, status }, before, name)) {
    copyNode({ directory: tree, name, status }, { directory: comparison.open(), name }, links);
  }
}

function compareInner(comparison: Comparison, name: SystemPath, path: string, before: Found | undefined): void {
  using owned = new DisposableStack();
  const tree = owned.use(openat(comparison.tree, name, DIRECTORY));
  const below = enterStack(comparison.below, name, owned);
  let made: Fd | undefined;
  const open = () => {
    if (made !== undefined) return made;
    const parent = comparison.open();
    mkdirat(parent, name, 0o700);
    return (made = owned.use(openat(parent, name, DIRECTORY)));
  };
  compareDirectory({ ...comparison, path, tree, below, open });
  const [top] = below;
  if (before === undefined || top === undefined || !isSameDirectory(tree, top)) open();
  if (made !== undefined) copyDirectoryMetadata(tree, made);
}

function isSameDirectory(tree: Fd, other: Fd): boolean {
  const [now, before] = [fstat(tree), fstat(other)];
  return (
    sameOwner(now, before) && now.mtime === before.mtime && sameAttributes(ofDescriptor(tree), ofDescriptor(other))
  );
}

function sameOwner(a: FileStatus, b: FileStatus): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function isSame(now: Found, before: Found, name: SystemPath): boolean {
  const [a, b] = [now.status, before.status];
  // The very same file, seen through an overlay.
  if (a.inode === b.inode && a.ctime === b.ctime && a.size === b.size && a.mode === b.mode) return true;
  if (!sameOwner(a, b) || a.mtime !== b.mtime) return false;
  if (!sameAttributes(ofName(now.directory, name), ofName(before.directory, name))) return false;
  switch (a.mode & FileType.Mask) {
    case FileType.Regular:
      return a.size === b.size && sameContent(now.directory, before.directory, name);
    case FileType.Symlink:
      return readlinkat(now.directory, name).equals(readlinkat(before.directory, name));
    default:
      return a.rdev.major === b.rdev.major && a.rdev.minor === b.rdev.minor;
  }
}

interface Attributes {
  readonly names: readonly string[];
  readonly read: (name: string) => Buffer | undefined;
}

function ofDescriptor(directory: Fd): Attributes {
  return { names: flistxattr(directory), read: (name) => fgetxattr(directory, name) };
}

function ofName(directory: Fd, name: SystemPath): Attributes {
  const path = Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), Buffer.from(name)]);
  return { names: llistxattr(path), read: (attribute) => lgetxattr(path, attribute) };
}

function sameAttributes(a: Attributes, b: Attributes): boolean {
  const own = (names: readonly string[]) => names.filter((name) => !/^(?:trusted|user)\.overlay\./.test(name)).sort();
  const [one, other] = [own(a.names), own(b.names)];
  if (one.length !== other.length) return false;
  return one.every((name, index) => {
    if (name !== other[index]) return false;
    const [left, right] = [a.read(name), b.read(name)];
    return left !== undefined && right !== undefined && left.equals(right);
  });
}

const PIECE = 256 << 10;

function sameContent(now: Fd, before: Fd, name: SystemPath): boolean {
  using a = openat(now, name, OpenFlag.ReadOnly | OpenFlag.NoFollow);
  using b = openat(before, name, OpenFlag.ReadOnly | OpenFlag.NoFollow);
  const [left, right] = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)];
  for (let position = 0; ; ) {
    const length = pread(a, left, position);
    // A regular file gives as much as there is.
    if (pread(b, right, position) !== length || left.compare(right, 0, length, 0, length) !== 0) return false;
    if (length === 0) return true;
    position += length;
  }
}
