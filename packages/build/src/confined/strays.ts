import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { systemCode } from "@boxship/base";
import { killIfThere, ownChildren, pidfdOpen, reap, SIGKILL, waitForExit } from "@boxship/kernel";

/**
 * Ends what commands that have ended left running. This process adopts orphans; while a command runs it does that itself,
 * so whoever is our child and was not started by us belongs to one that is over.
 */
export async function killStrays(): Promise<void> {
  for (;;) {
    // The orphans of those that are ended now come next.
    const strays = processes().filter(({ pid, parent }) => parent === process.pid && !ownChildren.has(pid));
    if (strays.length === 0) return;
    await Promise.all(strays.map(({ pid }) => end(pid)));
  }
}

/**
 * Ends the commands of an engine that was killed: they have lost their parent, and are known by their root, which is below
 * that engine's directory.
 */
export async function killRootedBelow(directory: string): Promise<void> {
  const prefix = `${realpathSync(directory)}/`;
  for (;;) {
    // Those that are ended now may just have started others.
    const left = processes().filter(({ pid, state }) => state !== "Z" && rootOf(pid)?.startsWith(prefix) === true);
    if (left.length === 0) return;
    await Promise.all(left.map(({ pid }) => end(pid)));
  }
}

function rootOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/root`);
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

async function end(pid: number): Promise<void> {
  try {
    using pidfd = pidfdOpen(pid);
    killIfThere(pid, SIGKILL);
    await waitForExit(pidfd);
    reap(pidfd);
  } catch (error) {
    if (!["ESRCH", "ECHILD"].includes(systemCode(error) ?? "")) throw error;
  }
}

interface ProcessEntry {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
}

function processes(): readonly ProcessEntry[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (entryOf(Number(name)) ?? []) : []));
}

function entryOf(pid: number): ProcessEntry | undefined {
  try {
    // Behind the name, which may hold anything: state, parent.
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", parent = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid, state, parent: Number(parent) };
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ESRCH") return undefined;
    throw error;
  }
}
