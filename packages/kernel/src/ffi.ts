import { DynamicLibrary, type FunctionSignature, getInt32, type types } from "node:ffi";
import { SyscallError } from "./errno.ts";

/**
 * The one door to native code. Every other file of this package calls libc through the helpers here and turns a failure
 * into a {@link SyscallError}; no other package imports `node:ffi`.
 *
 * Pointers are passed as `Buffer`s (valid for the length of the call) or as `bigint` addresses.
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

  bind<Result extends number | bigint | void>(name: string, signature: Signature): NativeFunction<Result> {
    let resolved: NativeFunction<Result> | undefined;
    const [result, ...arguments_] = signature;
    return (...values) => {
      resolved ??= this.open().getFunction(name, {
        return: result,
        arguments: arguments_,
      } as FunctionSignature) as unknown as NativeFunction<Result>;
      return resolved(...values);
    };
  }
}

export const libc = new NativeLibrary(null);

const errnoLocation = libc.bind<bigint>("__errno_location", ["pointer"]);
let errnoAddress = 0n;

/** The calling thread's errno. Only meaningful directly after a call that failed. */
export function readErrno(): number {
  // The address is per thread, and this module is instantiated once per thread.
  if (errnoAddress === 0n) errnoAddress = errnoLocation();
  return getInt32(errnoAddress, 0);
}

// The first lookup must not happen between a failing call and its errno.
errnoAddress = errnoLocation();

/**
 * Returns a system call's result, or throws a {@link SyscallError} when it is -1.
 *
 * @param syscall the call's name as in section 2 of the manual
 * @param detail what it was about: a path, a descriptor, a name
 */
export function check(result: number, syscall: string, detail?: string): number {
  if (result === -1) throw new SyscallError(readErrno(), syscall, detail);
  return result;
}

const rawSyscall = libc.bind<bigint>("syscall", ["i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64"]);

/** Calls a system call by number, all arguments as integers or addresses; for calls that libc does not wrap. */
export function syscall(
  name: string,
  number: number,
  arguments_: readonly (number | bigint)[],
  detail?: string,
): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = arguments_;
  const result = rawSyscall(BigInt(number), BigInt(a), BigInt(b), BigInt(c), BigInt(d), BigInt(e), BigInt(f));
  if (result === -1n) throw new SyscallError(readErrno(), name, detail);
  return Number(result);
}

/** A NUL-terminated copy of a path or name for a pointer argument. Throws on an embedded NUL. */
export function cString(text: string | Uint8Array): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
  if (bytes.includes(0)) throw new SyscallError(22, "argument", `${JSON.stringify(text)} contains a NUL byte`);
  return Buffer.concat([bytes, Buffer.of(0)]);
}
