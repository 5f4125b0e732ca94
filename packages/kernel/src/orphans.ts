import { existsSync, readFileSync } from "node:fs";
import { SyscallError } from "./errno.ts";
import { check, libc } from "./ffi.ts";
import { ownChildren } from "./spawn.ts";

const prctlCall = libc.bind<number>("prctl", ["i32", "i32", "u64", "u64", "u64", "u64"]);
const waitpidCall = libc.bind<number>("waitpid", ["i32", "i32", "pointer", "i32"]);

const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;

/** Orphans are given to the first thread. A kernel may be built without the file. */
const CHILDREN = `/proc/self/task/${process.pid}/children`;

/**
 * Takes the place of the machine's process 1 for the orphans among our descendants: they become our children, and are
 * reaped as soon as they end. Children of {@link spawnUnwatched} stay their owners', and those of `node:child_process`
 * must not be started meanwhile. Main thread only.
 *
 * The end of a pid namespace waits for every process in it to be reaped, also for those that entered it from outside. A
 * runtime's `exec` whose child is killed ends without reaping it, and process 1 may be slow, or (in many containers)
 * never do so.
 */
export function adoptOrphans(): Disposable {
  if (!existsSync(CHILDREN)) return { [Symbol.dispose]() {} };
  setChildSubreaper(true);
  process.on("SIGCHLD", reapOrphans);
  return {
    [Symbol.dispose]() {
      setChildSubreaper(false);
      process.off("SIGCHLD", reapOrphans);
    },
  };
}

/** Makes orphaned descendants our children (or stops that). Whoever sets it reaps them. */
export function setChildSubreaper(enabled: boolean): void {
  check(prctlCall(PR_SET_CHILD_SUBREAPER, enabled ? 1n : 0n, 0n, 0n, 0n), "prctl");
}

function reapOrphans(): void {
  for (const child of readFileSync(CHILDREN, "latin1").trim().split(" ")) {
    const pid = Number(child);
    if (pid === 0 || ownChildren.has(pid)) continue;
    try {
      check(waitpidCall(pid, 0n, WNOHANG), "waitpid");
    } catch (error) {
      if (!(error instanceof SyscallError && error.code === "ECHILD")) throw error;
    }
  }
}
