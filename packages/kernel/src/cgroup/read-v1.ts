import { parseAmount, parsePairs, readOptional } from "./files.ts";
import type { CgroupStats, CpuStats, DeviceStats, MemoryStats, PidsStats } from "./stats.ts";

/** The directory of a controller of the group, or undefined. */
export type ControllerPath = (controller: string) => string | undefined;

/** Reads a v1 group's usage. */
export async function readStatsV1(path: ControllerPath): Promise<CgroupStats> {
  const [cpu, memory, pids, io] = await Promise.all([
    readCpu(path("cpuacct"), path("cpu")),
    readMemory(path("memory")),
    readPids(path("pids")),
    readIo(path("blkio")),
  ]);
  return { cpu, memory, pids, io };
}

async function readCpu(accounting: string | undefined, cpu: string | undefined): Promise<CpuStats | undefined> {
  const [usage, user, system, perCpu, throttling] = await Promise.all([
    readOptional(accounting, "cpuacct.usage"),
    readOptional(accounting, "cpuacct.usage_user"),
    readOptional(accounting, "cpuacct.usage_sys"),
    readOptional(accounting, "cpuacct.usage_percpu"),
    readOptional(cpu, "cpu.stat"),
  ]);
  if (usage === undefined) return undefined;
  const stat = parsePairs(throttling ?? "");
  return {
    usage: Number(usage),
    user: Number(user ?? 0),
    system: Number(system ?? 0),
    perCpu: perCpu?.trim().split(/\s+/).map(Number),
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    throttledTime: stat["throttled_time"] ?? 0,
  };
}

async function readMemory(memory: string | undefined): Promise<MemoryStats | undefined> {
  const [usage, limit, peak, failures, swapFailures, stat, control] = await Promise.all([
    readOptional(memory, "memory.usage_in_bytes"),
    readOptional(memory, "memory.limit_in_bytes"),
    readOptional(memory, "memory.max_usage_in_bytes"),
    readOptional(memory, "memory.failcnt"),
    // Where memory and swap together have the same limit, hitting it counts here.
    readOptional(memory, "memory.memsw.failcnt"),
    readOptional(memory, "memory.stat"),
    readOptional(memory, "memory.oom_control"),
  ]);
  if (usage === undefined || limit === undefined) return undefined;
  const detail = totals(parsePairs(stat ?? ""));
  return {
    usage: Number(usage),
    limit: parseAmount(limit),
    peak: peak === undefined ? undefined : Number(peak),
    anonymous: detail["rss"] ?? 0,
    cache: detail["cache"] ?? 0,
    inactiveFile: detail["inactive_file"] ?? 0,
    swap: detail["swap"],
    failures: Number(failures ?? 0) + Number(swapFailures ?? 0),
    outOfMemoryKills: parsePairs(control ?? "")["oom_kill"] ?? 0,
    detail,
  };
}

/** The values with the prefix `total_` count the groups below as well: they take the place of those without it. */
function totals(stat: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const result: Record<string, number> = {};
  for (const [name, value] of Object.entries(stat)) {
    if (name.startsWith("total_")) result[name.slice("total_".length)] = value;
    else if (!(name in result)) result[name] = value;
  }
  return result;
}

async function readPids(pids: string | undefined): Promise<PidsStats | undefined> {
  const [current, limit] = await Promise.all([readOptional(pids, "pids.current"), readOptional(pids, "pids.max")]);
  if (current === undefined) return undefined;
  // The root has no limit file.
  return { current: Number(current), limit: limit === undefined ? Infinity : parseAmount(limit) };
}

async function readIo(blkio: string | undefined): Promise<readonly DeviceStats[] | undefined> {
  const [bytes, operations] = await Promise.all([
    readFirst(blkio, ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"]),
    readFirst(blkio, ["blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"]),
  ]);
  return bytes === undefined ? undefined : mergeDevices(bytes, operations ?? "");
}

async function readFirst(directory: string | undefined, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const text = await readOptional(directory, file);
    if (text !== undefined) return text;
  }
  return undefined;
}

type Counts = { readBytes: number; writeBytes: number; readOperations: number; writeOperations: number };

const FIELDS: Readonly<Record<string, readonly [bytes: keyof Counts, operations: keyof Counts]>> = {
  Read: ["readBytes", "readOperations"],
  Write: ["writeBytes", "writeOperations"],
};

/** Lines of `8:0 Read 4096`; `Total`, `Sync`, `Async` and `Discard` are left out. */
function mergeDevices(bytes: string, operations: string): readonly DeviceStats[] {
  const devices = new Map<string, Counts>();
  [bytes, operations].forEach((text, which) => {
    for (const line of text.split("\n")) {
      const [device, kind, value] = line.split(" ");
      const field = FIELDS[kind ?? ""]?.[which];
      if (device === undefined || field === undefined || value === undefined) continue;
      const counts = devices.get(device) ?? { readBytes: 0, writeBytes: 0, readOperations: 0, writeOperations: 0 };
      counts[field] = Number(value);
      devices.set(device, counts);
    }
  });
  return [...devices].map(([device, counts]) => ({ ...parseDevice(device), ...counts }));
}

/** `8:16` */
export function parseDevice(text: string): { readonly major: number; readonly minor: number } {
  const [major, minor] = text.split(":");
  return { major: Number(major), minor: Number(minor) };
}
