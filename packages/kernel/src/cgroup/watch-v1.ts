import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import { SyscallError } from "../errno.ts";
import { watchDescriptor } from "../event-loop.ts";
import { Fd } from "../fd.ts";
import { check, libc } from "../ffi.ts";
import { read } from "../file-data.ts";
import { CurrentDirectory, OpenFlag, openat } from "../open.ts";
import { pidfdOpen } from "../signals.ts";
import { parsePairs } from "./files.ts";

/** Events of v1 groups, which have no files that notify. */

const eventfdCall = libc.bind<number>("eventfd", ["i32", "u32", "i32"]);
const NONBLOCK_CLOEXEC = 0o2004000;

// The kernel signals when it begins to look for a victim; the count rises a little later.
const RECOUNT_AFTER_MS: readonly number[] = [0, 5, 20, 100, 500];

/** Calls back with the number of out-of-memory kills when it has risen. */
export function watchOutOfMemoryByEventfd(directory: string, callback: (kills: number) => void): Disposable {
  const event = new Fd(check(eventfdCall(0, NONBLOCK_CLOEXEC), "eventfd"));
  try {
    using control = openat(CurrentDirectory, join(directory, "memory.oom_control"), OpenFlag.ReadOnly);
    writeFileSync(join(directory, "cgroup.event_control"), `${event.number} ${control.number}`);
  } catch (error) {
    event.close();
    throw error;
  }
  let known = countKills(directory) ?? 0;
  let timer: NodeJS.Timeout | undefined;
  const count = (attempt: number) => {
    timer = undefined;
    const kills = countKills(directory);
    // Undefined: the group was removed, which signals the descriptor as well.
    if (kills === undefined) return;
    if (kills > known) {
      known = kills;
      callback(kills);
    } else if (attempt < RECOUNT_AFTER_MS.length) {
      timer = setTimeout(() => count(attempt + 1), RECOUNT_AFTER_MS[attempt]);
    }
  };
  const counter = Buffer.alloc(8);
  const watch = watchDescriptor(event, { readable: true }, () => {
    read(event, counter);
    clearTimeout(timer);
    count(0);
  });
  watch.unref();
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      watch[Symbol.dispose]();
      event.close();
    },
  };
}

function countKills(directory: string): number | undefined {
  try {
    return parsePairs(readFileSync(join(directory, "memory.oom_control"), "utf8"))["oom_kill"] ?? 0;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENODEV") return undefined;
    throw error;
  }
}

/**
 * Waits for one process of the group after the other: while one of them runs the group is not empty, and once it has ended
 * the list is read again.
 */
export function watchEmptyByProcesses(list: () => Promise<readonly number[]>, callback: () => void): Disposable {
  let disposed = false;
  let release = () => {};
  const ended = new Set<number>();
  const next = async (): Promise<void> => {
    for (;;) {
      // A process may fork after the list was read and end before it is looked at. Only a list that names none but those
      // that had ended before it was read is the last one.
      const unknown = (await list()).filter((pid) => !ended.has(pid));
      if (disposed) return;
      if (unknown.length === 0) break;
      const running = unknown.find(isRunning);
      if (running === undefined) for (const pid of unknown) ended.add(pid);
      const pidfd = running === undefined ? undefined : openProcess(running);
      if (pidfd !== undefined) return waitFor(pidfd);
    }
    disposed = true;
    callback();
  };
  const waitFor = (pidfd: Fd): void => {
    const watch = watchDescriptor(pidfd, { readable: true }, () => {
      release();
      void next();
    });
    watch.unref();
    release = () => {
      release = () => {};
      watch[Symbol.dispose]();
      pidfd.close();
    };
  };
  void next();
  return {
    [Symbol.dispose]() {
      disposed = true;
      release();
    },
  };
}

function openProcess(pid: number): Fd | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (error instanceof SyscallError && error.code === "ESRCH") return undefined;
    throw error;
  }
}

/** A zombie stays in its group until it is reaped, but does nothing any more. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
