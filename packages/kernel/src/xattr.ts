import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, descriptorPath } from "./fd.ts";
import { checkLong, cString, libc, type NativeFunction, readErrno } from "./ffi.ts";
import { pathText, type SystemPath } from "./open.ts";

/**
 * Extended attributes. Values are bytes and stay bytes (`security.capability` is binary).
 *
 * The l-calls never follow a symbolic link. The f-calls take any descriptor: for O_PATH ones, on which the kernel's
 * f-calls fail (EBADF), they go through `/proc/self/fd/N`, which also reaches a symbolic link's own attributes.
 */

const signatures = {
  get: ["i64", "pointer", "pointer", "pointer", "u64"],
  fget: ["i64", "i32", "pointer", "pointer", "u64"],
  set: ["i32", "pointer", "pointer", "pointer", "u64", "i32"],
  fset: ["i32", "i32", "pointer", "pointer", "u64", "i32"],
  list: ["i64", "pointer", "pointer", "u64"],
  flist: ["i64", "i32", "pointer", "u64"],
  remove: ["i32", "pointer", "pointer"],
  fremove: ["i32", "i32", "pointer"],
} as const;

const calls = {
  getxattr: libc.bind<bigint>("getxattr", signatures.get),
  lgetxattr: libc.bind<bigint>("lgetxattr", signatures.get),
  fgetxattr: libc.bind<bigint>("fgetxattr", signatures.fget),
  setxattr: libc.bind<number>("setxattr", signatures.set),
  lsetxattr: libc.bind<number>("lsetxattr", signatures.set),
  fsetxattr: libc.bind<number>("fsetxattr", signatures.fset),
  listxattr: libc.bind<bigint>("listxattr", signatures.list),
  llistxattr: libc.bind<bigint>("llistxattr", signatures.list),
  flistxattr: libc.bind<bigint>("flistxattr", signatures.flist),
  removexattr: libc.bind<number>("removexattr", signatures.remove),
  lremovexattr: libc.bind<number>("lremovexattr", signatures.remove),
  fremovexattr: libc.bind<number>("fremovexattr", signatures.fremove),
};

const EBADF = 9;
const ENODATA = 61;
const ERANGE = 34;

// XATTR_SIZE_MAX and XATTR_LIST_MAX: nothing is larger.
const LARGEST = 65536;
const FIRST_TRY = 512;

/** Flags of the set calls. */
export const XattrFlag = { Create: 1, Replace: 2 } as const;

/** The first part of a call: a NUL-terminated path or a descriptor's number. */
type Target = Buffer | number;

function readGrowing(call: (buffer: Buffer) => bigint, name: string, detail: string): Buffer | undefined {
  for (let size = FIRST_TRY; ; size = LARGEST) {
    const buffer = Buffer.allocUnsafe(size);
    const length = call(buffer);
    if (length !== -1n) return Buffer.from(buffer.subarray(0, Number(length)));
    const errno = readErrno();
    if (errno === ENODATA) return undefined;
    if (errno !== ERANGE || size === LARGEST) throw new SyscallError(errno, name, detail);
  }
}

function get(call: NativeFunction<bigint>, target: Target, name: string, syscall: string, detail: string) {
  const attribute = cString(name);
  return readGrowing((buffer) => call(target, attribute, buffer, BigInt(buffer.length)), syscall, detail);
}

function list(call: NativeFunction<bigint>, target: Target, syscall: string, detail: string): string[] {
  const names = readGrowing((buffer) => call(target, buffer, BigInt(buffer.length)), syscall, detail);
  return names === undefined ? [] : names.toString("utf8").split("\0").slice(0, -1);
}

function done(result: number, syscall: string, detail: string): void {
  checkLong(BigInt(result), syscall, detail);
}

/** Runs the f-call, and the path call through /proc for a descriptor on which f-calls are not allowed. */
function onDescriptor<T>(descriptor: Descriptor, f: (number: number) => T, byPath: (path: Buffer) => T): T {
  try {
    return f(descriptorNumber(descriptor));
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EBADF) throw error;
    return byPath(cString(descriptorPath(descriptor)));
  }
}

/** An attribute's value, or undefined when the file has no such attribute. */
export function lgetxattr(path: SystemPath, name: string): Buffer | undefined {
  return get(calls.lgetxattr, cString(path), name, "lgetxattr", `${pathText(path)} ${name}`);
}

/** @param flags {@link XattrFlag}. @default 0: create or replace */
export function lsetxattr(path: SystemPath, name: string, value: Uint8Array, flags = 0): void {
  const result = calls.lsetxattr(cString(path), cString(name), value, BigInt(value.length), flags);
  done(result, "lsetxattr", `${pathText(path)} ${name}`);
}

export function llistxattr(path: SystemPath): string[] {
  return list(calls.llistxattr, cString(path), "llistxattr", pathText(path));
}

/** Throws ENODATA when the file has no such attribute. */
export function lremovexattr(path: SystemPath, name: string): void {
  done(calls.lremovexattr(cString(path), cString(name)), "lremovexattr", `${pathText(path)} ${name}`);
}

/** An attribute's value, or undefined when the file has no such attribute. */
export function fgetxattr(descriptor: Descriptor, name: string): Buffer | undefined {
  return onDescriptor(
    descriptor,
    (number) => get(calls.fgetxattr, number, name, "fgetxattr", `${number} ${name}`),
    (path) => get(calls.getxattr, path, name, "getxattr", name),
  );
}

/** @param flags {@link XattrFlag}. @default 0: create or replace */
export function fsetxattr(descriptor: Descriptor, name: string, value: Uint8Array, flags = 0): void {
  const [attribute, size] = [cString(name), BigInt(value.length)];
  onDescriptor(
    descriptor,
    (number) => done(calls.fsetxattr(number, attribute, value, size, flags), "fsetxattr", `${number} ${name}`),
    (path) => done(calls.setxattr(path, attribute, value, size, flags), "setxattr", name),
  );
}

export function flistxattr(descriptor: Descriptor): string[] {
  return onDescriptor(
    descriptor,
    (number) => list(calls.flistxattr, number, "flistxattr", String(number)),
    (path) => list(calls.listxattr, path, "listxattr", descriptorPath(descriptor)),
  );
}

/** Throws ENODATA when the file has no such attribute. */
export function fremovexattr(descriptor: Descriptor, name: string): void {
  onDescriptor(
    descriptor,
    (number) => done(calls.fremovexattr(number, cString(name)), "fremovexattr", `${number} ${name}`),
    (path) => done(calls.removexattr(path, cString(name)), "removexattr", name),
  );
}
