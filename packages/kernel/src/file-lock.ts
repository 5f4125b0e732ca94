import { closeSync, constants, fstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { systemCode } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { check, libc } from "./ffi.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

const flockCall = libc.bind<number>("flock", ["i32", "i32", "i32"]);

export interface LockFileOptions {
  /** The file is removed when the lock is let go of; whoever waits makes it again. @default false */
  readonly transient?: boolean;
}

/**
 * Takes an exclusive `flock(2)` on a file (made when absent) without waiting. The lock ends with the returned owner or
 * with the process, whichever comes first; `kill -9` cannot leave it behind.
 *
 * @returns undefined when another process holds it
 */
export function tryLockFile(path: string, options: LockFileOptions = {}): Disposable | undefined {
  const { transient = false } = options;
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      check(flockCall(fd, LOCK_EX | LOCK_NB), "flock", path);
    } catch (error) {
      closeSync(fd);
      if (error instanceof SyscallError && error.code === "EAGAIN") return undefined;
      throw error;
    }
    if (!transient) return { [Symbol.dispose]: () => closeSync(fd) };
    // A holder may have removed the file after it was opened here: then others lock another one.
    if (isFileAt(path, fd)) return { [Symbol.dispose]: () => removeAndClose(path, fd) };
    closeSync(fd);
  }
}

function isFileAt(path: string, fd: number): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

function removeAndClose(path: string, fd: number): void {
  try {
    unlinkSync(path);
  } finally {
    closeSync(fd);
  }
}
