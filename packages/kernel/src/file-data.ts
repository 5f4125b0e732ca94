import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber } from "./fd.ts";
import { addressOf, check, checkLong, checkLongRetry, checkRetry, keepAlive, libc, readErrno } from "./ffi.ts";

/** Bytes of files by raw descriptor, sparse regions, copies within the kernel, and durability. */

const readCall = libc.bind<bigint>("read", ["i64", "i32", "pointer", "u64"]);
const writeCall = libc.bind<bigint>("write", ["i64", "i32", "pointer", "u64"]);
const preadCall = libc.bind<bigint>("pread", ["i64", "i32", "pointer", "u64", "i64"]);
const pwriteCall = libc.bind<bigint>("pwrite", ["i64", "i32", "pointer", "u64", "i64"]);
const writevCall = libc.bind<bigint>("writev", ["i64", "i32", "pointer", "i32"]);
const lseekCall = libc.bind<bigint>("lseek", ["i64", "i32", "i64", "i32"]);
const fallocateCall = libc.bind<number>("fallocate", ["i32", "i32", "i32", "i64", "i64"]);
const ftruncateCall = libc.bind<number>("ftruncate", ["i32", "i32", "i64"]);
const copyCall = libc.bind<bigint>("copy_file_range", ["i64", "i32", "pointer", "i32", "pointer", "u64", "u32"]);
const fsyncCall = libc.bind<number>("fsync", ["i32", "i32"]);
const fdatasyncCall = libc.bind<number>("fdatasync", ["i32", "i32"]);
const syncfsCall = libc.bind<number>("syncfs", ["i32", "i32"]);

const EAGAIN = 11;
const ENXIO = 6;

/** `read(2)`: the number of bytes, 0 at the end, or undefined when a non-blocking descriptor has nothing now. */
export function read(descriptor: Descriptor, buffer: Uint8Array): number | undefined {
  return transfer(() => readCall(descriptorNumber(descriptor), buffer, BigInt(buffer.length)), "read", descriptor);
}

/** `write(2)`: the number of bytes that were taken, or undefined when a non-blocking descriptor takes nothing now. */
export function write(descriptor: Descriptor, bytes: Uint8Array): number | undefined {
  return transfer(() => writeCall(descriptorNumber(descriptor), bytes, BigInt(bytes.length)), "write", descriptor);
}

function transfer(call: () => bigint, name: string, descriptor: Descriptor): number | undefined {
  try {
    return checkLongRetry(call, name, String(descriptorNumber(descriptor)));
  } catch (error) {
    if (error instanceof SyscallError && error.errno === EAGAIN) return undefined;
    throw error;
  }
}

/** Writes all bytes to a blocking descriptor. */
export function writeAll(descriptor: Descriptor, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    const taken = write(descriptor, bytes.subarray(offset));
    if (taken === undefined) throw new SyscallError(EAGAIN, "write", String(descriptorNumber(descriptor)));
    offset += taken;
  }
}

/** `pread(2)`: the number of bytes, 0 at the end. */
export function pread(descriptor: Descriptor, buffer: Uint8Array, position: number): number {
  const number = descriptorNumber(descriptor);
  const call = () => preadCall(number, buffer, BigInt(buffer.length), BigInt(position));
  return checkLongRetry(call, "pread", String(number));
}

/** `pwrite(2)`: the number of bytes that were taken. */
export function pwrite(descriptor: Descriptor, bytes: Uint8Array, position: number): number {
  const number = descriptorNumber(descriptor);
  const call = () => pwriteCall(number, bytes, BigInt(bytes.length), BigInt(position));
  return checkLongRetry(call, "pwrite", String(number));
}

/** Writes all bytes at a position. */
export function pwriteAll(descriptor: Descriptor, bytes: Uint8Array, position: number): void {
  for (let offset = 0; offset < bytes.length; ) {
    offset += pwrite(descriptor, bytes.subarray(offset), position + offset);
  }
}

/** `writev(2)`: the number of bytes that were taken. At most 1024 buffers. */
export function writev(descriptor: Descriptor, buffers: readonly Uint8Array[]): number {
  const number = descriptorNumber(descriptor);
  const vector = Buffer.alloc(buffers.length * 16);
  buffers.forEach((buffer, index) => {
    vector.writeBigUInt64LE(addressOf(buffer), index * 16);
    vector.writeBigUInt64LE(BigInt(buffer.length), index * 16 + 8);
  });
  const taken = checkLongRetry(() => writevCall(number, vector, buffers.length), "writev", String(number));
  keepAlive(buffers);
  return taken;
}

const SEEK_SET = 0;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Sets the file position. */
export function seek(descriptor: Descriptor, position: number): void {
  const number = descriptorNumber(descriptor);
  checkLong(lseekCall(number, BigInt(position), SEEK_SET), "lseek", String(number));
}

/** The start of the next region with data at or after `position`, or undefined when there is none. */
export function seekData(descriptor: Descriptor, position: number): number | undefined {
  return seekRegion(descriptor, position, SEEK_DATA);
}

/** The start of the next hole at or after `position` (the end counts as one), or undefined beyond the end. */
export function seekHole(descriptor: Descriptor, position: number): number | undefined {
  return seekRegion(descriptor, position, SEEK_HOLE);
}

function seekRegion(descriptor: Descriptor, position: number, whence: number): number | undefined {
  const number = descriptorNumber(descriptor);
  const result = lseekCall(number, BigInt(position), whence);
  if (result !== -1n) return Number(result);
  const errno = readErrno();
  if (errno === ENXIO) return undefined;
  throw new SyscallError(errno, "lseek", String(number));
}

/** Modes of `fallocate(2)`. */
export const FallocateMode = { Allocate: 0, KeepSize: 1, PunchHole: 2, CollapseRange: 8, ZeroRange: 16 } as const;

/** `fallocate(2)`. @param mode {@link FallocateMode} values. @default Allocate */
export function fallocate(descriptor: Descriptor, offset: number, length: number, mode = 0): void {
  const number = descriptorNumber(descriptor);
  checkRetry(() => fallocateCall(number, mode, BigInt(offset), BigInt(length)), "fallocate", String(number));
}

/** Turns a region into a hole; the file's size stays. */
export function punchHole(descriptor: Descriptor, offset: number, length: number): void {
  fallocate(descriptor, offset, length, FallocateMode.PunchHole | FallocateMode.KeepSize);
}

/** `ftruncate(2)`: growing makes a hole. */
export function ftruncate(descriptor: Descriptor, size: number): void {
  const number = descriptorNumber(descriptor);
  checkRetry(() => ftruncateCall(number, BigInt(size)), "ftruncate", String(number));
}

export interface CopyRange {
  readonly source: Descriptor;
  /** @default the source's file position, which moves on */
  readonly sourceOffset?: number;
  readonly target: Descriptor;
  /** @default the target's file position, which moves on */
  readonly targetOffset?: number;
  readonly length: number;
}

/** `copy_file_range(2)`: copies (or shares) blocks within the kernel; returns the bytes copied, 0 at the end. */
export function copyFileRange(range: CopyRange): number {
  const offset = (value: number | undefined) => {
    if (value === undefined) return null;
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(BigInt(value));
    return buffer;
  };
  const [from, to] = [offset(range.sourceOffset), offset(range.targetOffset)];
  const [source, target] = [descriptorNumber(range.source), descriptorNumber(range.target)];
  const call = () => copyCall(source, from, target, to, BigInt(range.length), 0);
  return checkLongRetry(call, "copy_file_range", `${source} -> ${target}`);
}

/** `fsync(2)`. Blocks until the data is on the disk: never on the event loop. */
export function fsync(descriptor: Descriptor): void {
  const number = descriptorNumber(descriptor);
  check(fsyncCall(number), "fsync", String(number));
}

/** `fdatasync(2)`. Blocks as {@link fsync}. */
export function fdatasync(descriptor: Descriptor): void {
  const number = descriptorNumber(descriptor);
  check(fdatasyncCall(number), "fdatasync", String(number));
}

/** `syncfs(2)`: everything of the descriptor's file system. Blocks as {@link fsync}. */
export function syncfs(descriptor: Descriptor): void {
  const number = descriptorNumber(descriptor);
  check(syncfsCall(number), "syncfs", String(number));
}
