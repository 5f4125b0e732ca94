import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { systemCode } from "@boxship/base";
import { type Fd, pidfdOpen, pidfdSendIfThere, SIGKILL, SyscallError, waitForExit } from "@boxship/kernel";
import type { Context } from "./context.ts";
import type { Layout } from "./layout.ts";
import { readPid } from "./record.ts";

const PATIENCE_MS = 2000;

/** A pid that is surely this container's conmon and no later process of that number. */
export function conmonOf({ layout }: Pick<Context, "layout">, id: string): number | undefined {
  const pid = readPid(layout.bundleFile(id, "conmon.pid"));
  return pid !== undefined && bundleOfConmon(pid) === layout.bundle(id) ? pid : undefined;
}

/** The bundle in a process's arguments when it is a conmon. */
function bundleOfConmon(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ESRCH") return undefined;
    throw error;
  }
  const args = text.split("\0");
  const place = args.indexOf("--bundle");
  return place !== -1 && args.includes("--full-attach") ? args[place + 1] : undefined;
}

/**
 * Every conmon of this instance by its container's id, also those whose bundle or pid file is missing. Reads the whole
 * process table: for the start of a daemon only.
 */
export async function findConmons(layout: Layout): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const prefix = `${layout.bundles}/`;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const bundle = bundleOfConmon(Number(name));
    if (bundle?.startsWith(prefix)) found.set(bundle.slice(prefix.length), Number(name));
  }
  return found;
}

/** Opens a process, undefined when it is gone. */
export function openProcess(pid: number): Fd | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (error instanceof SyscallError && error.code === "ESRCH") return undefined;
    throw error;
  }
}

/** Waits until a process has ended; kills it after a while, or at once. */
export async function endProcess(context: Pick<Context, "clock">, pid: number, atOnce = false): Promise<void> {
  using process = openProcess(pid);
  if (process === undefined) return;
  const abort = new AbortController();
  using timer = context.clock.setTimeout(atOnce ? 0 : PATIENCE_MS, () => abort.abort());
  timer.ref();
  try {
    await waitForExit(process, abort.signal);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    pidfdSendIfThere(process, SIGKILL);
    await waitForExit(process);
  }
}
