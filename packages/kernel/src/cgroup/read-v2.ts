import { parseAmount, parsePairs, readOptional } from "./files.ts";
import { parseDevice } from "./read-v1.ts";
import type { CgroupStats, CpuStats, DeviceStats, MemoryStats, PidsStats } from "./stats.ts";

/** Reads a v2 group's usage; see the kernel's `admin-guide/cgroup-v2.rst`. */
export async function readStatsV2(directory: string): Promise<CgroupStats> {
  const [cpu, memory, pids, io] = await Promise.all([
    readCpu(directory),
    readMemory(directory),
    readPids(directory),
    readIo(directory),
  ]);
  return { cpu, memory, pids, io };
}

const MICROSECOND = 1000;

async function readCpu(directory: string): Promise<CpuStats | undefined> {
  const text = await readOptional(directory, "cpu.stat");
  if (text === undefined) return undefined;
  const stat = parsePairs(text);
  const time = (name: string) => (stat[name] ?? 0) * MICROSECOND;
  return {
    usage: time("usage_usec"),
    user: time("user_usec"),
    system: time("system_usec"),
    perCpu: undefined,
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    throttledTime: time("throttled_usec"),
  };
}

async function readMemory(directory: string): Promise<MemoryStats | undefined> {
  const [usage, limit, peak, stat, events, swap] = await Promise.all([
    readOptional(directory, "memory.current"),
    readOptional(directory, "memory.max"),
    readOptional(directory, "memory.peak"),
    readOptional(directory, "memory.stat"),
    readOptional(directory, "memory.events"),
    readOptional(directory, "memory.swap.current"),
  ]);
  if (usage === undefined) return undefined;
  const detail = parsePairs(stat ?? "");
  const counts = parsePairs(events ?? "");
  return {
    usage: Number(usage),
    limit: limit === undefined ? Infinity : parseAmount(limit),
    peak: peak === undefined ? undefined : Number(peak),
    anonymous: detail["anon"] ?? 0,
    cache: detail["file"] ?? 0,
    inactiveFile: detail["inactive_file"] ?? 0,
    swap: swap === undefined ? undefined : Number(swap),
    failures: counts["max"] ?? 0,
    outOfMemoryKills: counts["oom_kill"] ?? 0,
    detail,
  };
}

async function readPids(directory: string): Promise<PidsStats | undefined> {
  const [current, limit] = await Promise.all([
    readOptional(directory, "pids.current"),
    readOptional(directory, "pids.max"),
  ]);
  if (current === undefined) return undefined;
  return { current: Number(current), limit: limit === undefined ? Infinity : parseAmount(limit) };
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
async function readIo(directory: string): Promise<readonly DeviceStats[] | undefined> {
  const text = await readOptional(directory, "io.stat");
  if (text === undefined) return undefined;
  return text.split("\n").flatMap((line) => {
    const [device, ...fields] = line.trim().split(" ");
    if (device === undefined || !device.includes(":")) return [];
    const values = new Map(fields.map((field) => field.split("=") as [string, string]));
    const value = (name: string) => Number(values.get(name) ?? 0);
    return [
      {
        ...parseDevice(device),
        readBytes: value("rbytes"),
        writeBytes: value("wbytes"),
        readOperations: value("rios"),
        writeOperations: value("wios"),
      },
    ];
  });
}
