import { readdir, readFile } from "node:fs/promises";
import type { Engine } from "./context.ts";

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Seconds of processor time. */
  readonly cpu: number;
}

const ticksPerSecond = 100;

async function entry(pid: number): Promise<Entry | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpu = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    return { pid, parent: Number(fields[1]), name, cpu };
  } catch {
    return undefined;
  }
}

async function allEntries(): Promise<Entry[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  return (await Promise.all(pids.map(entry))).filter((found) => found !== undefined);
}

async function belongsTo(engine: Pick<Engine, "marker">, pid: number): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return line.includes(engine.marker);
}

/**
 * The processes that a user would count as the engine: its daemon, the helpers below it, and the monitors that stand
 * beside it; not what runs in the containers.
 */
export async function engineProcesses(engine: Pick<Engine, "pid" | "monitor" | "marker">): Promise<Entry[]> {
  const entries = await allEntries();
  const own = new Set<number>([engine.pid]);
  const isMonitor = (name: string) => engine.monitor.startsWith(name) || name.startsWith(engine.monitor);
  // Containers are below monitors, so the walk down stops there.
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, name } of entries) {
      if (own.has(pid) || !own.has(parent)) continue;
      const above = entries.find((candidate) => candidate.pid === parent);
      if (above !== undefined && above.pid !== engine.pid && isMonitor(above.name)) continue;
      if (name === "true" || name === "sleep") continue;
      own.add(pid);
      grown = true;
    }
  }
  for (const { pid, name } of entries) {
    if (isMonitor(name) && (await belongsTo(engine, pid))) own.add(pid);
  }
  return entries.filter(({ pid }) => own.has(pid));
}

async function field(path: string, key: string): Promise<number> {
  const text = await readFile(path, "utf8").catch(() => "");
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
}

/** Resident memory in MB: with and without the pages that processes share counted once each. */
export async function memoryOf(engine: Engine): Promise<{ readonly resident: number; readonly proportional: number }> {
  let [resident, proportional] = [0, 0];
  for (const { pid } of await engineProcesses(engine)) {
    resident += await field(`/proc/${pid}/smaps_rollup`, "Rss");
    proportional += await field(`/proc/${pid}/smaps_rollup`, "Pss");
  }
  return { resident, proportional };
}

/** Processor time of all of them, in seconds since they started. */
export async function processorTime(engine: Engine): Promise<number> {
  return (await engineProcesses(engine)).reduce((sum, { cpu }) => sum + cpu, 0);
}
