import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  CurrentDirectory,
  copyFileRange,
  type Descriptor,
  descriptorPath,
  Fd,
  type FileStatus,
  FileType,
  fchmod,
  fchownat,
  fgetxattr,
  flistxattr,
  fsetxattr,
  fstat,
  ftruncate,
  futimens,
  lgetxattr,
  linkat,
  llistxattr,
  lsetxattr,
  makeDevice,
  mkdirat,
  mknodat,
  OpenFlag,
  openat,
  openat2,
  pread,
  pwriteAll,
  ResolveFlag,
  readlinkat,
  type SystemPath,
  seekData,
  seekHole,
  statx,
  symlinkat,
  utimensat,
} from "@boxship/kernel";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;
const CREATE = OpenFlag.WriteOnly | OpenFlag.Create | OpenFlag.Exclusive | OpenFlag.NoFollow;
const LARGEST_COPY = 1 << 30;

export interface CopyTreeRequest {
  /** Root that the source path is resolved in: no link leads out of it. */
  readonly root: string;
  /** A directory below the root. */
  readonly path: string;
  /** An existing, empty directory. */
  readonly target: string;
}

/**
 * Copies a directory's content and gives the target its owner, mode, attributes and times: types, holes, hard links and
 * attributes are kept; blocks are shared where the file system can. Blocks: for worker threads.
 *
 * @returns false when the source is absent or no directory, and nothing was done
 */
export function copyTree(request: CopyTreeRequest): boolean {
  using root = openat(CurrentDirectory, request.root, OpenFlag.Path | OpenFlag.Directory);
  using source = openSource(root, request.path);
  if (source === undefined) return false;
  using target = openat(CurrentDirectory, request.target, DIRECTORY);
  copyDirectory(source, target, new Map());
  return true;
}

function openSource(root: Fd, path: string): Fd | undefined {
  const resolve = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
  try {
    return openat2(root, path, { flags: OpenFlag.ReadOnly | OpenFlag.Directory, resolve });
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Where the first name of a file with several links was copied to. */
type Links = Map<string, { readonly directory: string; readonly name: SystemPath }>;

function copyDirectory(source: Fd, target: Fd, links: Links): void {
  const status = fstat(source);
  for (const name of readdirSync(descriptorPath(source), { encoding: "buffer" }))
    copyEntry(source, target, name, links);
  copyAttributes(source, target);
  fchownat(target, "", status.uid, status.gid, AtFlag.EmptyPath);
  fchmod(target, status.mode & 0o7777);
  futimens(target, { atime: status.atime, mtime: status.mtime });
}

function copyEntry(source: Fd, target: Fd, name: SystemPath, links: Links): void {
  const status = statx(source, name);
  switch (status.mode & FileType.Mask) {
    case FileType.Directory: {
      mkdirat(target, name, 0o700);
      using from = openat(source, name, DIRECTORY);
      using to = openat(target, name, DIRECTORY);
      copyDirectory(from, to, links);
      return;
    }
    case FileType.Regular:
      if (!linkAgain(target, name, status, links)) copyFile(source, target, name);
      return;
    case FileType.Symlink:
      symlinkat(readlinkat(source, name), target, name);
      copyNodeMetadata(source, target, name, status);
      return;
    case FileType.Socket:
      // A socket file is of no use without the process that bound it.
      return;
    default:
      mknodat(target, name, status.mode, makeDevice(status.rdev.major, status.rdev.minor));
      copyNodeMetadata(source, target, name, status);
  }
}

function linkAgain(target: Fd, name: SystemPath, status: FileStatus, links: Links): boolean {
  if (status.links < 2) return false;
  const key = `${status.dev.major}:${status.dev.minor}:${status.inode}`;
  const first = links.get(key);
  if (first === undefined) {
    links.set(key, { directory: pathOf(target), name });
    return false;
  }
  using directory = openat(CurrentDirectory, first.directory, OpenFlag.Path | OpenFlag.Directory);
  linkat(directory, first.name, target, name);
  return true;
}

/** A directory's path now; the target is nobody else's, so it stays. */
function pathOf(directory: Fd): string {
  return readlinkat(CurrentDirectory, descriptorPath(directory)).toString();
}

function copyFile(source: Fd, target: Fd, name: SystemPath): void {
  using from = openat(source, name, OpenFlag.ReadOnly | OpenFlag.NoFollow);
  using to = openat(target, name, CREATE, 0o600);
  const status = fstat(from);
  for (let start = seekData(from, 0); start !== undefined && start < status.size; ) {
    const end = Math.min(seekHole(from, start) ?? status.size, status.size);
    copyRegion(from, to, start, end);
    start = seekData(from, end);
  }
  ftruncate(to, status.size);
  // Owner before attributes and mode: chown(2) takes capabilities and setuid bits away.
  fchownat(to, "", status.uid, status.gid, AtFlag.EmptyPath);
  copyAttributes(from, to);
  fchmod(to, status.mode & 0o7777);
  futimens(to, { atime: status.atime, mtime: status.mtime });
}

function copyRegion(from: Fd, to: Fd, start: number, end: number): void {
  let position = start;
  try {
    while (position < end) {
      const length = Math.min(end - position, LARGEST_COPY);
      const copied = copyFileRange({
        source: from,
        sourceOffset: position,
        target: to,
        targetOffset: position,
        length,
      });
      if (copied === 0) return;
      position += copied;
    }
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EXDEV" && code !== "EINVAL" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
    copyByHand(from, to, position, end);
  }
}

function copyByHand(from: Fd, to: Fd, start: number, end: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(1 << 20, end - start));
  for (let position = start; position < end; ) {
    const length = pread(from, buffer.subarray(0, Math.min(buffer.length, end - position)), position);
    if (length === 0) return;
    pwriteAll(to, buffer.subarray(0, length), position);
    position += length;
  }
}

function isOverlayMark(name: string): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
}

function copyAttributes(from: Descriptor, to: Descriptor): void {
  for (const name of flistxattr(from)) {
    const value = isOverlayMark(name) ? undefined : fgetxattr(from, name);
    if (value !== undefined) fsetxattr(to, name, value);
  }
}

function copyNodeMetadata(source: Fd, target: Fd, name: SystemPath, status: FileStatus): void {
  fchownat(target, name, status.uid, status.gid);
  const at = (directory: Fd) => Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), Buffer.from(name)]);
  for (const attribute of llistxattr(at(source))) {
    const value = isOverlayMark(attribute) ? undefined : lgetxattr(at(source), attribute);
    if (value !== undefined) lsetxattr(at(target), attribute, value);
  }
  if ((status.mode & FileType.Mask) !== FileType.Symlink) {
    using node = openat(target, name, OpenFlag.Path | OpenFlag.NoFollow);
    fchmod(node, status.mode & 0o7777);
  }
  utimensat(target, name, { atime: status.atime, mtime: status.mtime });
}
