import { DynamicLibrary, type FunctionSignature, getInt32, getRawPointer, type types } from "node:ffi";
import { Unsupported } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { type SyscallName, syscallNumber } from "./syscall-numbers.ts";

/**
 * The one door to native code. Every other file of this package calls libc through the helpers here and turns a failure
 * into a {@link SyscallError}; no other package imports `node:ffi`.
 *
 * Pointers are passed as `Buffer`s (valid for the length of the call) or as `bigint` addresses.
 *
 * errno is read by a second call directly after the failing one. Nothing of ours runs between the two, but V8 may: a
 * collection of garbage, or a function that returns and is handed to the compiler's threads. Of the system calls made there
 * only a contended lock's fails, with EAGAIN (seen about once in 100,000 failures of code that is not compiled yet). A
 * call that seems to have failed so is therefore made once more, see {@link withErrno}. Calls whose results are numbers
 * (`i32`) are preferred over `i64`, because making a `bigint` can start a collection.
 */

type Signature = readonly [result: ResultType, ...arguments_: ArgumentType[]];
type ResultType = "i32" | "i64" | "u32" | "u64" | "pointer" | "void";
type ArgumentType = ResultType | "buffer" | "string";
export type Pointer = bigint;
export type Argument = number | bigint | string | Uint8Array | null;

export type { types };

/** A function of a native library, resolved at its first call. */
export type NativeFunction<Result extends number | bigint | void> = (...arguments_: readonly Argument[]) => Result;

export class NativeLibrary {
  readonly #path: string | null;
  #library: DynamicLibrary | undefined;

  /** @param path a shared library's name for `dlopen(3)`, or null for the running process (libc included) */
  constructor(path: string | null) {
    this.#path = path;
  }

  /** Opens the library now. Throws when it is not installed. */
  open(): DynamicLibrary {
    this.#library ??= new DynamicLibrary(this.#path);
    return this.#library;
  }

  /**
   * @param options.nothingYet EAGAIN is an ordinary answer, after which the caller waits and asks again: the call is not
   *   made twice. @default false
   */
  bind<Result extends number | bigint | void>(
    name: string,
    signature: Signature,
    { nothingYet = false }: { readonly nothingYet?: boolean } = {},
  ): NativeFunction<Result> {
    let resolved: NativeFunction<Result> | undefined;
    const [result, ...arguments_] = signature;
    return (...values) => {
      resolved ??= this.open().getFunction(name, {
        return: result,
        arguments: arguments_,
      } as FunctionSignature) as unknown as NativeFunction<Result>;
      return nothingYet ? callOnce(resolved, values) : withErrno(resolved, values);
    };
  }
}

export const libc = new NativeLibrary(null);

const EAGAIN = 11;

let lastErrno = 0;
// Per thread, as this module is. Looked up before any call fails.
const errnoAddress = libc.bind<bigint>("__errno_location", ["pointer"])();

/** What errno was after this thread's last call that returned -1. */
export function readErrno(): number {
  return lastErrno;
}

/**
 * Makes a call and keeps its errno when it returns -1. With EAGAIN it is made again: a call that failed did nothing, and
 * errno may be that of a lock of V8.
 *
 * @param read how errno is read. @default this thread's
 */
export function withErrno<Result extends number | bigint | void>(
  call: NativeFunction<Result>,
  values: readonly Argument[],
  read = () => getInt32(errnoAddress, 0),
): Result {
  const result = call(...values);
  if (result !== -1 && result !== -1n) return result;
  lastErrno = read();
  if (lastErrno !== EAGAIN) return result;
  const again = call(...values);
  if (again === -1 || again === -1n) lastErrno = read();
  return again;
}

/** Makes a call and keeps its errno when it returns -1. */
function callOnce<Result extends number | bigint | void>(
  call: NativeFunction<Result>,
  values: readonly Argument[],
): Result {
  const result = call(...values);
  if (result === -1 || result === -1n) lastErrno = getInt32(errnoAddress, 0);
  return result;
}

/**
 * Returns a system call's result, or throws a {@link SyscallError} when it is -1.
 *
 * @param name the call's name as in section 2 of the manual
 * @param detail what it was about: a path, a descriptor, a name
 */
export function check(result: number, name: string, detail?: string): number {
  if (result === -1) throw new SyscallError(readErrno(), name, detail);
  return result;
}

/** As {@link check}, for calls that return a `long`: sizes and offsets. */
export function checkLong(result: bigint, name: string, detail?: string): number {
  if (result === -1n) throw new SyscallError(readErrno(), name, detail);
  return Number(result);
}

const EINTR = 4;

/** Calls again for as long as a signal interrupts the call. */
export function checkRetry(call: () => number, name: string, detail?: string): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const errno = readErrno();
    if (errno !== EINTR) throw new SyscallError(errno, name, detail);
  }
}

/** As {@link checkRetry}, for calls that return a `long`. */
export function checkLongRetry(call: () => bigint, name: string, detail?: string): number {
  for (;;) {
    const result = call();
    if (result !== -1n) return Number(result);
    const errno = readErrno();
    if (errno !== EINTR) throw new SyscallError(errno, name, detail);
  }
}

/** The address of a buffer's bytes, for pointers inside structures. {@link keepAlive} the buffer until after the call. */
export function addressOf(buffer: Uint8Array): Pointer {
  return getRawPointer(buffer);
}

let kept: unknown;

/** Keeps buffers whose addresses were handed out from being collected before this point. */
export function keepAlive(...buffers: readonly unknown[]): void {
  kept = buffers;
  kept = undefined;
  void kept;
}

const rawSyscall = libc.bind<bigint>("syscall", ["i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64"]);

function word(value: number | bigint | Uint8Array | null): bigint {
  if (value === null) return 0n;
  return typeof value === "object" ? addressOf(value) : BigInt(value);
}

/** Makes a system call by number, for calls that libc does not wrap. Buffers are passed as their addresses. */
export function syscall(
  name: SyscallName,
  arguments_: readonly (number | bigint | Uint8Array | null)[],
  detail?: string,
): number {
  const number = syscallNumber(name);
  if (number === undefined) throw new Unsupported(`system calls are not known for the architecture ${process.arch}`);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = arguments_;
  const result = rawSyscall(BigInt(number), word(a), word(b), word(c), word(d), word(e), word(f));
  keepAlive(arguments_);
  if (result === -1n) throw new SyscallError(readErrno(), name, detail);
  return Number(result);
}

/** A NUL-terminated copy of a path or name for a pointer argument. Throws on an embedded NUL. */
export function cString(text: string | Uint8Array): Buffer {
  const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
  const bytes = Buffer.allocUnsafe(length + 1);
  if (typeof text === "string") bytes.write(text);
  else bytes.set(text);
  bytes[length] = 0;
  if (bytes.indexOf(0) !== length)
    throw new SyscallError(22, "argument", `${JSON.stringify(text)} contains a NUL byte`);
  return bytes;
}
