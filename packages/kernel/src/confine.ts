import { SyscallError } from "./errno.ts";
import { check, cString, keepAlive, libc, readErrno } from "./ffi.ts";
import { CAPABILITY_NAMES, type CapabilityName } from "./host.ts";
import { stringArray } from "./spawn.ts";

/** What a process does to itself before it becomes another program. */

const chrootCall = libc.bind<number>("chroot", ["i32", "pointer"]);
const prctlCall = libc.bind<number>("prctl", ["i32", "i32", "u64", "u64", "u64", "u64"]);
const signalCall = libc.bind<bigint>("signal", ["u64", "i32", "pointer"]);
const execveCall = libc.bind<number>("execve", ["i32", "pointer", "pointer", "pointer"]);

const PR_CAPBSET_DROP = 24;
const SIGPIPE = 13;
const EINVAL = 22;

/** Makes a directory the root of this process, and its working directory. */
export function changeRoot(path: string): void {
  process.chdir(path);
  check(chrootCall(cString(".")), "chroot", path);
  process.chdir("/");
}

/** Gives up capabilities for whatever is executed from here on. @param kept those that stay */
export function limitCapabilities(kept: ReadonlySet<CapabilityName>): void {
  for (const [number, name] of CAPABILITY_NAMES.entries()) {
    if (kept.has(name)) continue;
    const result = prctlCall(PR_CAPBSET_DROP, BigInt(number), 0n, 0n, 0n);
    // Newer than the kernel.
    if (result !== 0 && readErrno() !== EINVAL) throw new SyscallError(readErrno(), "prctl", name);
  }
}

/**
 * Becomes another program; returns only by an error. Open files with close-on-exec are closed, other threads end.
 *
 * @throws SyscallError ENOENT, EACCES, ENOEXEC …
 */
export function execute(file: string, args: readonly string[], env: readonly string[]): never {
  // Node ignores it, and what is ignored stays so.
  signalCall(SIGPIPE, null);
  const [argv, argvBytes] = stringArray(args);
  const [envp, envBytes] = stringArray(env);
  const result = execveCall(cString(file), argv, envp);
  const errno = readErrno();
  keepAlive(argvBytes, envBytes);
  throw new SyscallError(result === 0 ? EINVAL : errno, "execve", file);
}
