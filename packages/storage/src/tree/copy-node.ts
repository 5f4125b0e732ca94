import { systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  CurrentDirectory,
  copyFileRange,
  type Descriptor,
  descriptorPath,
  type Fd,
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
  mknodat,
  OpenFlag,
  openat,
  pread,
  pwriteAll,
  readlinkat,
  type SystemPath,
  seekData,
  seekHole,
  symlinkat,
  utimensat,
} from "@boxship/kernel";

const CREATE = OpenFlag.WriteOnly | OpenFlag.Create | OpenFlag.Exclusive | OpenFlag.NoFollow;
const LARGEST_COPY = 1 << 30;
/** Bytes up to which looking for holes and asking the kernel to copy costs more than copying. */
const SMALL = 64 << 10;

/** Where the first name of a file with several links was copied to. */
export type CopiedLinks = Map<string, { readonly directory: string; readonly name: SystemPath }>;

/** What a copy has other than its original. */
export interface CopyChanges {
  /** @default the original's */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Permissions of the copy; not asked for symbolic links. @default the original's */
  readonly mode?: ((status: FileStatus) => number) | undefined;
}

/**
 * Copies what is no directory under a new name: type, holes, hard links, attributes and times are kept, blocks are
 * shared where the file system can. Sockets are left out. Blocks: for worker threads.
 *
 * @param name in the source directory
 * @param newName in the target directory, where nothing may have it
 * @param links of this copy as a whole
 */
export function copyNode(
  from: { readonly directory: Fd; readonly name: SystemPath; readonly status: FileStatus },
  to: { readonly directory: Fd; readonly name: SystemPath },
  links: CopiedLinks,
  changes: CopyChanges = {},
): void {
  const { status } = from;
  switch (status.mode & FileType.Mask) {
    case FileType.Regular:
      if (!linkAgain(to.directory, to.name, status, links)) copyFile(from, to, changes);
      return;
    case FileType.Symlink:
      symlinkat(readlinkat(from.directory, from.name), to.directory, to.name);
      copyNodeMetadata(from, to, changes);
      return;
    case FileType.Socket:
      // A socket file is of no use without the process that bound it.
      return;
    default:
      mknodat(to.directory, to.name, status.mode, makeDevice(status.rdev.major, status.rdev.minor));
      copyNodeMetadata(from, to, changes);
  }
}

/** Gives an open directory owner, mode, attributes and times of another. */
export function copyDirectoryMetadata(source: Fd, target: Fd, changes: CopyChanges = {}): void {
  const status = fstat(source);
  const owner = changes.owner ?? status;
  copyAttributes(source, target);
  fchownat(target, "", owner.uid, owner.gid, AtFlag.EmptyPath);
  fchmod(target, changes.mode?.(status) ?? status.mode & 0o7777);
  futimens(target, { atime: status.atime, mtime: status.mtime });
}

function linkAgain(target: Fd, name: SystemPath, status: FileStatus, links: CopiedLinks): boolean {
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

interface Named {
  readonly directory: Fd;
  readonly name: SystemPath;
}

function copyFile(source: Named, target: Named, changes: CopyChanges): void {
  using from = openat(source.directory, source.name, OpenFlag.ReadOnly | OpenFlag.NoFollow);
  using to = openat(target.directory, target.name, CREATE, 0o600);
  const status = fstat(from);
  if (status.size <= SMALL && status.blocks * 512 >= status.size) copyByHand(from, to, 0, status.size);
  else copyData(from, to, status.size);
  // Owner before attributes and mode: chown(2) takes capabilities and setuid bits away.
  const owner = changes.owner ?? status;
  fchownat(to, "", owner.uid, owner.gid, AtFlag.EmptyPath);
  copyAttributes(from, to);
  fchmod(to, changes.mode?.(status) ?? status.mode & 0o7777);
  futimens(to, { atime: status.atime, mtime: status.mtime });
}

function copyData(from: Fd, to: Fd, size: number): void {
  for (let start = seekData(from, 0); start !== undefined && start < size; ) {
    const end = Math.min(seekHole(from, start) ?? size, size);
    copyRegion(from, to, start, end);
    start = seekData(from, end);
  }
  ftruncate(to, size);
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

function copyNodeMetadata(from: Named & { readonly status: FileStatus }, to: Named, changes: CopyChanges): void {
  const { status } = from;
  const owner = changes.owner ?? status;
  fchownat(to.directory, to.name, owner.uid, owner.gid);
  const at = ({ directory, name }: Named) =>
    Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), Buffer.from(name)]);
  for (const attribute of llistxattr(at(from))) {
    const value = isOverlayMark(attribute) ? undefined : lgetxattr(at(from), attribute);
    if (value !== undefined) lsetxattr(at(to), attribute, value);
  }
  if ((status.mode & FileType.Mask) !== FileType.Symlink) {
    using node = openat(to.directory, to.name, OpenFlag.Path | OpenFlag.NoFollow);
    fchmod(node, changes.mode?.(status) ?? status.mode & 0o7777);
  }
  utimensat(to.directory, to.name, { atime: status.atime, mtime: status.mtime });
}
