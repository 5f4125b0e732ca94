import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { openCgroup } from "@boxship/kernel";
import type { EngineContext } from "../context.ts";
import type { ContainerStats } from "../engine-api.ts";
import { cgroupPath } from "./start-spec.ts";
import { isAlive } from "./state.ts";

const NANOSECONDS_PER_TICK = 10_000_000;

/** Counters of a container at this moment; all zero when it does not run. */
export async function containerStats(context: EngineContext, ref: string): Promise<ContainerStats> {
  const record = context.containers.resolve(ref);
  const read = context.clock.now();
  if (!isAlive(record.state)) return { ...NOTHING, read };
  const { pid } = record.state;
  const [cgroup, hostTotal, networks] = await Promise.all([
    openCgroup(cgroupPath(context, record)).stats(),
    hostCpuTime(),
    networkCounters(pid).catch(() => ({})),
  ]);
  const { cpu, memory, pids, io = [] } = cgroup;
  return {
    read,
    running: true,
    pids: {
      current: pids?.current ?? 0,
      ...(pids === undefined || pids.limit === Infinity ? {} : { limit: pids.limit }),
    },
    cpu: { ...NOTHING.cpu, ...cpu, perCpu: cpu?.perCpu ?? [], hostTotal, onlineCpus: availableParallelism() },
    memory: {
      usage: memory?.usage ?? 0,
      ...(memory?.peak === undefined ? {} : { maxUsage: memory.peak }),
      limit: Math.min(memory?.limit ?? Infinity, totalmem()),
      failcnt: memory?.failures ?? 0,
      detail: memory?.detail ?? {},
    },
    io: io.flatMap(({ major, minor, readBytes, writeBytes, readOperations, writeOperations }) => [
      { major, minor, op: "read", bytes: readBytes, operations: readOperations },
      { major, minor, op: "write", bytes: writeBytes, operations: writeOperations },
    ]),
    networks,
  };
}

const NOTHING: Omit<ContainerStats, "read"> = {
  running: false,
  pids: { current: 0 },
  cpu: {
    usage: 0,
    user: 0,
    system: 0,
    perCpu: [],
    throttledPeriods: 0,
    periods: 0,
    throttledTime: 0,
    hostTotal: 0,
    onlineCpus: 0,
  },
  memory: { usage: 0, limit: 0, detail: {} },
  io: [],
  networks: {},
};

/** Nanoseconds that all CPUs have spent, idle time included, from /proc/stat. */
async function hostCpuTime(): Promise<number> {
  const [line = ""] = (await readFile("/proc/stat", "utf8")).split("\n", 1);
  // user nice system idle iowait irq softirq steal; guest time is part of user time already
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * NANOSECONDS_PER_TICK;
}

async function networkCounters(pid: number): Promise<ContainerStats["networks"]> {
  return parseNetDev(await readFile(`/proc/${pid}/net/dev`, "utf8"));
}

/** /proc/net/dev without the loopback device. */
export function parseNetDev(text: string): ContainerStats["networks"] {
  const networks: Record<string, ContainerStats["networks"][string]> = {};
  for (const line of text.split("\n").slice(2)) {
    const [name, counters] = line.split(":");
    if (counters === undefined || name === undefined || name.trim() === "lo") continue;
    const n = counters.trim().split(/\s+/).map(Number);
    networks[name.trim()] = {
      rxBytes: n[0] ?? 0,
      rxPackets: n[1] ?? 0,
      rxErrors: n[2] ?? 0,
      rxDropped: n[3] ?? 0,
      txBytes: n[8] ?? 0,
      txPackets: n[9] ?? 0,
      txErrors: n[10] ?? 0,
      txDropped: n[11] ?? 0,
    };
  }
  return networks;
}
