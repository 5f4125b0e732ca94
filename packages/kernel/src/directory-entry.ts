import { type Descriptor, descriptorNumber } from "./fd.ts";
import { check, checkLong, cString, libc, syscall } from "./ffi.ts";
import { pathText, type SystemPath } from "./open.ts";

/** Names in directories: making, linking, renaming, removing. Every call throws a SyscallError. */

const mkdiratCall = libc.bind<number>("mkdirat", ["i32", "i32", "pointer", "u32"]);
const symlinkatCall = libc.bind<number>("symlinkat", ["i32", "pointer", "i32", "pointer"]);
const linkatCall = libc.bind<number>("linkat", ["i32", "i32", "pointer", "i32", "pointer", "i32"]);
const unlinkatCall = libc.bind<number>("unlinkat", ["i32", "i32", "pointer", "i32"]);
const renameat2Call = libc.bind<number>("renameat2", ["i32", "i32", "pointer", "i32", "pointer", "u32"]);
const readlinkatCall = libc.bind<bigint>("readlinkat", ["i64", "i32", "pointer", "pointer", "u64"]);

/** `mkdirat(2)`; the umask applies to `mode`. */
export function mkdirat(directory: Descriptor, path: SystemPath, mode: number): void {
  check(mkdiratCall(descriptorNumber(directory), cString(path), mode), "mkdirat", pathText(path));
}

/** File types in a mode, `S_IF*`. */
export const FileType = {
  Mask: 0o170000,
  Socket: 0o140000,
  Symlink: 0o120000,
  Regular: 0o100000,
  Block: 0o060000,
  Directory: 0o040000,
  Character: 0o020000,
  Fifo: 0o010000,
} as const;

/** A device number in the kernel's packing, from major and minor. */
export function makeDevice(major: number, minor: number): bigint {
  const [a, i] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((i & 0xffffff00n) << 12n) | (i & 0xffn);
}

/**
 * `mknodat(2)`: devices, fifos, sockets and empty regular files.
 *
 * @param mode a {@link FileType} and permissions; the umask applies
 * @param device from {@link makeDevice}, for block and character devices. @default 0n
 */
export function mknodat(directory: Descriptor, path: SystemPath, mode: number, device = 0n): void {
  syscall("mknodat", [descriptorNumber(directory), cString(path), mode, device], pathText(path));
}

/** `symlinkat(2)`. */
export function symlinkat(target: SystemPath, directory: Descriptor, path: SystemPath): void {
  check(symlinkatCall(cString(target), descriptorNumber(directory), cString(path)), "symlinkat", pathText(path));
}

/** Flags of calls that take a directory descriptor and a path. */
export const AtFlag = {
  SymlinkNoFollow: 0x100,
  RemoveDirectory: 0x200,
  SymlinkFollow: 0x400,
  EmptyPath: 0x1000,
} as const;

/**
 * `linkat(2)`. With {@link AtFlag.EmptyPath} and an empty `oldPath` the link is to the file of `oldDirectory` itself, which
 * needs CAP_DAC_READ_SEARCH.
 */
export function linkat(
  oldDirectory: Descriptor,
  oldPath: SystemPath,
  newDirectory: Descriptor,
  newPath: SystemPath,
  flags = 0,
): void {
  check(
    linkatCall(
      descriptorNumber(oldDirectory),
      cString(oldPath),
      descriptorNumber(newDirectory),
      cString(newPath),
      flags,
    ),
    "linkat",
    `${pathText(oldPath)} -> ${pathText(newPath)}`,
  );
}

/** `unlinkat(2)`. @param flags {@link AtFlag.RemoveDirectory} for directories. @default 0 */
export function unlinkat(directory: Descriptor, path: SystemPath, flags = 0): void {
  check(unlinkatCall(descriptorNumber(directory), cString(path), flags), "unlinkat", pathText(path));
}

/** Flags of `renameat2(2)`. */
export const RenameFlag = { NoReplace: 1, Exchange: 2, Whiteout: 4 } as const;

/** `renameat2(2)`. @param flags {@link RenameFlag} values. @default 0 */
export function renameat2(
  oldDirectory: Descriptor,
  oldPath: SystemPath,
  newDirectory: Descriptor,
  newPath: SystemPath,
  flags = 0,
): void {
  check(
    renameat2Call(
      descriptorNumber(oldDirectory),
      cString(oldPath),
      descriptorNumber(newDirectory),
      cString(newPath),
      flags,
    ),
    "renameat2",
    `${pathText(oldPath)} -> ${pathText(newPath)}`,
  );
}

// PATH_MAX; longer targets cannot be created on Linux.
const LONGEST_TARGET = 4096;

/** `readlinkat(2)`: the target's bytes. With an empty path, the link that `directory` was opened on (O_PATH|O_NOFOLLOW). */
export function readlinkat(directory: Descriptor, path: SystemPath): Buffer {
  const buffer = Buffer.allocUnsafe(LONGEST_TARGET);
  const length = checkLong(
    readlinkatCall(descriptorNumber(directory), cString(path), buffer, BigInt(LONGEST_TARGET)),
    "readlinkat",
    pathText(path),
  );
  return Buffer.from(buffer.subarray(0, length));
}
