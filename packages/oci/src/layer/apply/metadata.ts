import { readFileSync } from "node:fs";
import { Conflict, FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  type Descriptor,
  descriptorPath,
  type Fd,
  FileType,
  fchmod,
  fchownat,
  fsetxattr,
  fstat,
  futimens,
  hasId,
  type IdKind,
  idRanges,
  inUserNamespace,
  lsetxattr,
  OpenFlag,
  openat,
  type SystemPath,
  utimensat,
} from "@boxship/kernel";
import { type ByteString, toBuffer, toText } from "../tar/bytes.ts";
import type { TarEntry } from "../tar/entry.ts";

/** Owner to give to files, and what the process gives to them by itself. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

const SECOND = 1_000_000_000n;

export function mtimeOf(entry: TarEntry): bigint {
  return BigInt(entry.mtime) * SECOND + BigInt(entry.mtimeNanoseconds);
}

/** The process's umask, without changing it. */
export function currentUmask(): number {
  const line = /^Umask:\s*([0-7]+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
  // Without the line nothing is known: expect every permission to be masked.
  return line === null ? 0o777 : Number.parseInt(line[1] as string, 8);
}

/**
 * Sets what an entry says about an open file or directory. The order matters: chown(2) clears setuid bits and file
 * capabilities, so it comes first; times come last.
 */
export function applyToDescriptor(fd: Fd, entry: TarEntry, change: MetadataChange): void {
  if (change.owner !== undefined) setOwner(fd, "", change.owner, AtFlag.EmptyPath);
  if (entry.xattrs !== undefined) {
    setXattrs(entry.xattrs, change, (name, value) => fsetxattr(fd, name, value));
  }
  if (change.chmod) fchmod(fd, entry.mode);
  if (change.setTime) futimens(fd, { mtime: mtimeOf(entry) });
}

/** @throws FailedPrecondition naming an id that does not exist in the user namespace that we are root of */
function setOwner(directory: Descriptor, name: SystemPath, { uid, gid }: Ownership, flags?: number): void {
  try {
    fchownat(directory, name, uid, gid, flags);
  } catch (error) {
    if (systemCode(error) !== "EINVAL" || !inUserNamespace()) throw error;
    const absent = (kind: IdKind, id: number) => (hasId(id, idRanges(kind)) ? [] : [`${kind} ${id}`]);
    const ids = [...absent("uid", uid), ...absent("gid", gid)].join(" and ");
    if (ids === "") throw error;
    throw new FailedPrecondition(
      `its owner, ${ids}, is beyond the ids that /etc/subuid and /etc/subgid give the engine's user`,
      {
        remedy: "let root give the user larger ranges there; they hold from the next start without running containers",
        cause: error,
      },
    );
  }
}

/** The same for what cannot be opened: links, devices, fifos. */
export function applyToName(directory: Descriptor, name: SystemPath, entry: TarEntry, change: MetadataChange): void {
  if (change.owner !== undefined) setOwner(directory, name, change.owner);
  if (entry.xattrs !== undefined) {
    const path = Buffer.concat([Buffer.from(`${descriptorPath(directory)}/`), Buffer.from(name)]);
    setXattrs(entry.xattrs, change, (attribute, value) => lsetxattr(path, attribute, value));
  }
  if (change.chmod) chmodNode(directory, name, entry.mode);
  if (change.setTime) utimensat(directory, name, { mtime: mtimeOf(entry) });
}

/** chmod(2) follows symbolic links, so the node is pinned before: somebody may have put a link in its place. */
function chmodNode(directory: Descriptor, name: SystemPath, mode: number): void {
  using node = openat(directory, name, OpenFlag.Path | OpenFlag.NoFollow);
  if ((fstat(node).mode & FileType.Mask) === FileType.Symlink) {
    throw new Conflict("it was replaced by a symbolic link while it was written");
  }
  fchmod(node, mode);
}

export interface MetadataChange {
  /** Undefined when the file has the right owner already. */
  readonly owner: Ownership | undefined;
  readonly chmod: boolean;
  readonly setTime: boolean;
  /** Told about attributes that are left out, with the reason. */
  readonly onSkipped: (name: string, reason: string) => void;
  /** Told about attributes that must wait until the tree is complete. */
  readonly onDeferred: (name: string, value: Buffer) => void;
}

function setXattrs(
  xattrs: ReadonlyMap<ByteString, Buffer>,
  change: MetadataChange,
  set: (name: string, value: Buffer) => void,
): void {
  for (const [bytes, value] of xattrs) {
    const name = toText(bytes);
    if (!toBuffer(bytes).equals(Buffer.from(name))) throw new InvalidArgument("an attribute's name is not UTF-8");
    if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")) {
      // Meant for the overlay they were read from; here they would redirect or hide files of lower layers.
      change.onSkipped(name, "attributes of overlay file systems are not taken from archives");
    } else if (name === "system.posix_acl_default") change.onDeferred(name, value);
    else {
      try {
        set(name, value);
      } catch (error) {
        const code = systemCode(error);
        if (code === "EPERM" && inUserNamespace()) change.onSkipped(name, "only root may set it");
        else if (code !== "EOPNOTSUPP" && code !== "ENOTSUP") throw error;
        else change.onSkipped(name, "the file system does not support it");
      }
    }
  }
}
