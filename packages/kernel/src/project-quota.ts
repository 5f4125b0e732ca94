import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber } from "./fd.ts";
import { check, libc, syscall } from "./ffi.ts";

/** Project quotas of ext4 and XFS: what is in a directory counts for a project, and a project may be limited. */

const ioctl = libc.bind<number>("ioctl", ["i32", "i32", "u64", "pointer"]);

const FS_IOC_FSGETXATTR = 0x801c581fn;
const FS_IOC_FSSETXATTR = 0x401c5820n;
// struct fsxattr: flags, two sizes, the project, another size, reserved.
const FSXATTR_SIZE = 28;
const PROJECT_AT = 12;
const FS_XFLAG_PROJINHERIT = 0x200;

const PRJQUOTA = 2;
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
// struct if_dqblk: eight numbers of 64 bits, and which of them count.
const DQBLK_SIZE = 72;
const USED_AT = 16;
const VALID_AT = 64;
const QIF_BLIMITS = 1;
/** Limits are in blocks of so many bytes; what is used is in bytes. */
const BLOCK = 1024n;

/** ESRCH, EOPNOTSUPP, ENOSYS, ENOTTY: the file system has no such quotas, or they are off. */
const HAS_NONE = new Set([3, 95, 38, 25]);

/** What a project has and may have, in bytes; no limit is 0. */
export interface ProjectQuota {
  readonly used: bigint;
  readonly limit: bigint;
}

/** @returns undefined where a call says that there are no project quotas */
function unlessNone<Result>(attempt: () => Result): Result | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof SyscallError && HAS_NONE.has(error.errno)) return undefined;
    throw error;
  }
}

const command = (number: number): number => (number << 8) | PRJQUOTA;

/**
 * What a project has, and its limit.
 *
 * @param place any file of the file system
 * @returns undefined where the file system has no project quotas, or they are off
 */
export function projectQuota(place: Descriptor, project: number): ProjectQuota | undefined {
  const block = Buffer.alloc(DQBLK_SIZE);
  return unlessNone(() => {
    syscall("quotactl_fd", [descriptorNumber(place), command(Q_GETQUOTA), project, block], `project ${project}`);
    return { limit: block.readBigUInt64LE(0) * BLOCK, used: block.readBigUInt64LE(USED_AT) };
  });
}

/**
 * Limits a project: more than that cannot be written (EDQUOT).
 *
 * @param bytes rounded up to 1024; 0 takes the limit away
 * @returns whether the file system has project quotas
 */
export function limitProject(place: Descriptor, project: number, bytes: bigint): boolean {
  const block = Buffer.alloc(DQBLK_SIZE);
  const blocks = (bytes + BLOCK - 1n) / BLOCK;
  block.writeBigUInt64LE(blocks, 0);
  block.writeBigUInt64LE(blocks, 8);
  block.writeUInt32LE(QIF_BLIMITS, VALID_AT);
  const done = unlessNone(() =>
    syscall("quotactl_fd", [descriptorNumber(place), command(Q_SETQUOTA), project, block], `project ${project}`),
  );
  return done !== undefined;
}

/** The project of a file or directory: 0 for none, also where there are no projects. */
export function projectOf(file: Descriptor): number {
  return attributesOf(file)?.readUInt32LE(PROJECT_AT) ?? 0;
}

function attributesOf(file: Descriptor): Buffer | undefined {
  const attributes = Buffer.alloc(FSXATTR_SIZE);
  return unlessNone(() => {
    check(ioctl(descriptorNumber(file), FS_IOC_FSGETXATTR, attributes), "ioctl FS_IOC_FSGETXATTR");
    return attributes;
  });
}

/** Lets a directory, and all that will be made in it, belong to a project. @returns false where there are no projects */
export function setProject(directory: Descriptor, project: number): boolean {
  const attributes = attributesOf(directory);
  if (attributes === undefined) return false;
  attributes.writeUInt32LE(attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT, 0);
  attributes.writeUInt32LE(project, PROJECT_AT);
  const done = unlessNone(() =>
    check(ioctl(descriptorNumber(directory), FS_IOC_FSSETXATTR, attributes), "ioctl FS_IOC_FSSETXATTR"),
  );
  return done !== undefined;
}
