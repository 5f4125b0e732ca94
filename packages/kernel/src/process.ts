import { watchDescriptor } from "./event-loop.ts";
import type { Descriptor, Fd } from "./fd.ts";
import { descriptorNumber } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { namespacePath, openNamespace, setns, unshare } from "./namespace.ts";
import { pidfdSendIfThere, signalName } from "./signals.ts";
import { ownChildren, type SpawnedProcess, type SpawnOptions, spawnUnwatched } from "./spawn.ts";

/** How a process ended: by itself with a code, or by a signal. */
export type ExitStatus =
  | { readonly code: number; readonly signal: undefined }
  | { readonly code: undefined; readonly signal: string };

/** A child of ours that is watched and will be reaped. */
export interface Process {
  readonly pid: number;
  /** Closed when the process has ended. */
  readonly pidfd: Fd;
  readonly exited: Promise<ExitStatus>;
  /**
   * Sends a signal by number. False when the process has ended already; never reaches another process that took the
   * same id.
   */
  kill(signal: number): boolean;
  /** Lets our process end although this one still runs. */
  unref(): void;
}

const waitidCall = libc.bind<number>("waitid", ["i32", "i32", "u32", "pointer", "i32"]);

const P_PIDFD = 3;
const WNOHANG = 1;
const WEXITED = 4;
const CLD_EXITED = 1;

// siginfo_t of SIGCHLD on 64-bit Linux.
const SIGINFO_SIZE = 128;
const SI_CODE = 8;
const SI_PID = 16;
const SI_STATUS = 24;

function readStatus(info: Buffer): ExitStatus {
  const status = info.readInt32LE(SI_STATUS);
  return info.readInt32LE(SI_CODE) === CLD_EXITED
    ? { code: status, signal: undefined }
    : { code: undefined, signal: signalName(status) };
}

/**
 * Reaps the child that the pidfd stands for, or returns undefined when it still runs. Throws ECHILD when somebody else
 * reaped it.
 */
export function reap(pidfd: Descriptor): ExitStatus | undefined {
  const info = Buffer.alloc(SIGINFO_SIZE);
  check(waitidCall(P_PIDFD, descriptorNumber(pidfd), info, WEXITED | WNOHANG), "waitid");
  const pid = info.readInt32LE(SI_PID);
  if (pid === 0) return undefined;
  ownChildren.delete(pid);
  return readStatus(info);
}

/** Watches a started process: takes the pidfd over, reaps the process when it ends. Main thread only. */
export function watchProcess(started: SpawnedProcess): Process {
  const { pid, pidfd } = started;
  const { promise, resolve, reject } = Promise.withResolvers<ExitStatus>();
  const watch = watchDescriptor(pidfd, { readable: true }, () => {
    try {
      const status = reap(pidfd);
      if (status === undefined) return;
      resolve(status);
    } catch (error) {
      reject(error);
    }
    watch[Symbol.dispose]();
    pidfd.close();
  });
  return {
    pid,
    pidfd,
    exited: promise,
    kill: (signal) => !pidfd.closed && pidfdSendIfThere(pidfd, signal),
    unref: () => watch.unref(),
  };
}

/** Starts a process and watches it. See {@link SpawnOptions}; throws when the file cannot be executed. */
export function spawnProcess(options: SpawnOptions): Process {
  return watchProcess(spawnUnwatched(options));
}

/**
 * Starts a process as the first one of a process namespace of its own, which lives as long as it does. Synchronous: meanwhile
 * nothing else is started here.
 */
export function spawnInProcessNamespace(options: SpawnOptions): Process {
  using home = openNamespace(namespacePath("pid"));
  unshare(["pid"]);
  try {
    return spawnProcess(options);
  } finally {
    setns(home, "pid");
  }
}

/** Resolves when a process that is not our child has ended; its status is its parent's. The pidfd stays the caller's. */
export function waitForExit(pidfd: Descriptor, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const finish = (settle: () => void) => {
      watch[Symbol.dispose]();
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => finish(() => reject(signal?.reason));
    const watch = watchDescriptor(pidfd, { readable: true }, () => finish(resolve));
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
