import { isMainThread } from "node:worker_threads";
import { syscallInBackground } from "./background-syscall.ts";
import { AtFlag } from "./directory-entry.ts";
import { type Descriptor, descriptorNumber, descriptorPath } from "./fd.ts";
import { check, checkRetry, cString, libc } from "./ffi.ts";
import { CurrentDirectory, pathText, type SystemPath } from "./open.ts";

/** Owner, mode, times and status of files. */

const fchownatCall = libc.bind<number>("fchownat", ["i32", "i32", "pointer", "u32", "u32", "i32"]);
const fchmodatCall = libc.bind<number>("fchmodat", ["i32", "i32", "pointer", "u32", "i32"]);
const fchmodCall = libc.bind<number>("fchmod", ["i32", "i32", "u32"]);
const utimensatCall = libc.bind<number>("utimensat", ["i32", "i32", "pointer", "pointer", "i32"]);
const statxCall = libc.bind<number>("statx", ["i32", "i32", "pointer", "i32", "u32", "pointer"]);
const umaskCall = libc.bind<number>("umask", ["u32", "u32"]);

/** `fchownat(2)`. @param flags {@link AtFlag} values. @default AtFlag.SymlinkNoFollow */
export function fchownat(
  directory: Descriptor,
  path: SystemPath,
  uid: number,
  gid: number,
  flags: number = AtFlag.SymlinkNoFollow,
): void {
  check(fchownatCall(descriptorNumber(directory), cString(path), uid, gid, flags), "fchownat", pathText(path));
}

/** `fchmodat(2)`: follows a symbolic link, as links have no mode of their own. */
export function fchmodat(directory: Descriptor, path: SystemPath, mode: number): void {
  check(fchmodatCall(descriptorNumber(directory), cString(path), mode, 0), "fchmodat", pathText(path));
}

const EBADF = 9;

/** `fchmod(2)`; works on O_PATH descriptors as well, by way of `/proc/self/fd`. */
export function fchmod(descriptor: Descriptor, mode: number): void {
  try {
    check(fchmodCall(descriptorNumber(descriptor), mode), "fchmod", String(descriptorNumber(descriptor)));
  } catch (error) {
    if (!(error instanceof Error && "errno" in error && error.errno === EBADF)) throw error;
    fchmodat(CurrentDirectory, descriptorPath(descriptor), mode);
  }
}

/** Nanoseconds since the epoch (may be negative), the current time, or undefined to leave the time as it is. */
export type FileTime = bigint | "now" | undefined;

const UTIME_NOW = 0x3fffffffn;
const UTIME_OMIT = 0x3ffffffen;
const SECOND = 1_000_000_000n;

function writeTime(buffer: Buffer, offset: number, time: FileTime): void {
  if (typeof time === "bigint") {
    const seconds = time >= 0n ? time / SECOND : -((SECOND - 1n - time) / SECOND);
    buffer.writeBigInt64LE(seconds, offset);
    buffer.writeBigInt64LE(time - seconds * SECOND, offset + 8);
    return;
  }
  buffer.writeBigInt64LE(0n, offset);
  buffer.writeBigInt64LE(time === "now" ? UTIME_NOW : UTIME_OMIT, offset + 8);
}

/** `utimensat(2)`. @param flags {@link AtFlag} values. @default AtFlag.SymlinkNoFollow */
export function utimensat(
  directory: Descriptor,
  path: SystemPath,
  times: { readonly atime?: FileTime; readonly mtime?: FileTime },
  flags: number = AtFlag.SymlinkNoFollow,
): void {
  const buffer = Buffer.allocUnsafe(32);
  writeTime(buffer, 0, times.atime);
  writeTime(buffer, 16, times.mtime);
  check(utimensatCall(descriptorNumber(directory), cString(path), buffer, flags), "utimensat", pathText(path));
}

const futimensCall = libc.bind<number>("futimens", ["i32", "i32", "pointer"]);

/** `futimens(3)`. */
export function futimens(
  descriptor: Descriptor,
  times: { readonly atime?: FileTime; readonly mtime?: FileTime },
): void {
  const buffer = Buffer.allocUnsafe(32);
  writeTime(buffer, 0, times.atime);
  writeTime(buffer, 16, times.mtime);
  check(futimensCall(descriptorNumber(descriptor), buffer), "futimens", String(descriptorNumber(descriptor)));
}

/** What `statx(2)` tells. Times are nanoseconds since the epoch. */
export interface FileStatus {
  /** Type and permissions, as `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly inode: bigint;
  readonly size: number;
  /** Allocated space in units of 512 bytes. */
  readonly blocks: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** Time of creation; undefined where the file system keeps none. */
  readonly btime: bigint | undefined;
  /** The device a device file stands for. */
  readonly rdev: { readonly major: number; readonly minor: number };
  /** The device the file lies on. */
  readonly dev: { readonly major: number; readonly minor: number };
  /** The mount it was reached through, as in mountinfo; undefined before Linux 5.8. */
  readonly mountId: number | undefined;
  /** `STATX_ATTR_*` bits. */
  readonly attributes: bigint;
}

const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;

// Filled and read synchronously, so one per thread is enough.
const statxBuffer = Buffer.alloc(256);

/**
 * `statx(2)`, not following a symbolic link unless told so.
 *
 * @param flags {@link AtFlag} values; `AtFlag.EmptyPath` with an empty path is the descriptor itself.
 * @default AtFlag.SymlinkNoFollow
 */
export function statx(directory: Descriptor, path: SystemPath, flags: number = AtFlag.SymlinkNoFollow): FileStatus {
  const wanted = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
  const number = descriptorNumber(directory);
  const name = cString(path);
  checkRetry(() => statxCall(number, name, flags, wanted, statxBuffer), "statx", pathText(path));
  return readStatus(statxBuffer);
}

/**
 * {@link statx} of an absolute path, links followed, on a thread of its own: for paths of users, where a file system may lie
 * whose server does not answer. Main thread only; elsewhere it is made at once.
 */
export async function statxInBackground(path: string): Promise<FileStatus> {
  if (!isMainThread) return statx(CurrentDirectory, path, 0);
  const buffer = Buffer.alloc(256);
  await syscallInBackground("statx", [CurrentDirectory, cString(path), 0, STATX_BASIC_STATS, buffer], path);
  return readStatus(buffer);
}

/** Status of an open descriptor, O_PATH ones included. */
export function fstat(descriptor: Descriptor): FileStatus {
  return statx(descriptor, "", AtFlag.EmptyPath);
}

function readStatus(buffer: Buffer): FileStatus {
  const mask = buffer.readUInt32LE(0);
  const time = (offset: number) => buffer.readBigInt64LE(offset) * SECOND + BigInt(buffer.readUInt32LE(offset + 8));
  return {
    mode: buffer.readUInt16LE(28),
    uid: buffer.readUInt32LE(20),
    gid: buffer.readUInt32LE(24),
    links: buffer.readUInt32LE(16),
    inode: buffer.readBigUInt64LE(32),
    size: Number(buffer.readBigUInt64LE(40)),
    blocks: Number(buffer.readBigUInt64LE(48)),
    atime: time(64),
    btime: (mask & STATX_BTIME) === 0 ? undefined : time(80),
    ctime: time(96),
    mtime: time(112),
    rdev: { major: buffer.readUInt32LE(128), minor: buffer.readUInt32LE(132) },
    dev: { major: buffer.readUInt32LE(136), minor: buffer.readUInt32LE(140) },
    mountId: (mask & STATX_MNT_ID) === 0 ? undefined : Number(buffer.readBigUInt64LE(144)),
    attributes: buffer.readBigUInt64LE(8),
  };
}

/** Sets this process's (or, after unshare(CLONE_FS), this thread's) umask and returns the former one. */
export function umask(mask: number): number {
  return umaskCall(mask);
}
