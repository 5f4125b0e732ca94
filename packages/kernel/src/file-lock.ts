import { closeSync, constants, openSync } from "node:fs";
import { SyscallError } from "./errno.ts";
import { check, libc } from "./ffi.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

const flockCall = libc.bind<number>("flock", ["i32", "i32", "i32"]);

/**
 * Takes an exclusive `flock(2)` on a file (made when absent) without waiting. The lock ends with the returned owner or
 * with the process, whichever comes first; `kill -9` cannot leave it behind.
 *
 * @returns undefined when another process holds it
 */
export function tryLockFile(path: string): Disposable | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    check(flockCall(fd, LOCK_EX | LOCK_NB), "flock", path);
  } catch (error) {
    closeSync(fd);
    if (error instanceof SyscallError && error.code === "EAGAIN") return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
