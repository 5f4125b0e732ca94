import type { ContainerStats } from "@boxship/engine";
import { NEVER, rfc3339 } from "../format/time.ts";

/** One sample of `GET /containers/{id}/stats`, with the one before it for rates. */
export function encodeStats(
  container: { readonly id: string; readonly name: string },
  sample: ContainerStats,
  previous: ContainerStats | undefined,
): Record<string, unknown> {
  const head = { name: `/${container.name}`, id: container.id };
  if (!sample.running) return { ...head, ...STOPPED };
  return {
    ...head,
    read: rfc3339(sample.read),
    preread: previous === undefined ? NEVER : rfc3339(previous.read),
    pids_stats: {
      current: sample.pids.current,
      ...(sample.pids.limit === undefined ? {} : { limit: sample.pids.limit }),
    },
    blkio_stats: encodeIo(sample.io),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: encodeCpu(sample.cpu),
    precpu_stats: previous === undefined || !previous.running ? NO_CPU : encodeCpu(previous.cpu),
    memory_stats: encodeMemory(sample.memory),
    ...(Object.keys(sample.networks).length === 0 ? {} : { networks: encodeNetworks(sample.networks) }),
  };
}

const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

function encodeCpu(cpu: ContainerStats["cpu"]): Record<string, unknown> {
  return {
    cpu_usage: {
      total_usage: cpu.usage,
      ...(cpu.perCpu.length === 0 ? {} : { percpu_usage: cpu.perCpu }),
      usage_in_kernelmode: cpu.system,
      usage_in_usermode: cpu.user,
    },
    system_cpu_usage: cpu.hostTotal,
    online_cpus: cpu.onlineCpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledTime,
    },
  };
}

function encodeMemory(memory: ContainerStats["memory"]): Record<string, unknown> {
  return {
    usage: memory.usage,
    ...(memory.maxUsage === undefined ? {} : { max_usage: memory.maxUsage }),
    stats: withTotals(memory.detail),
    ...(memory.failcnt === undefined ? {} : { failcnt: memory.failcnt }),
    limit: memory.limit,
  };
}

/** Clients that know version 1 of control groups read the values with the prefix; there are no groups below a container's. */
function withTotals(detail: ContainerStats["memory"]["detail"]): Readonly<Record<string, number>> {
  if (!("hierarchical_memory_limit" in detail)) return detail;
  const names = Object.keys(detail).filter((name) => !name.startsWith("hierarchical_"));
  return { ...detail, ...Object.fromEntries(names.map((name) => [`total_${name}`, detail[name] ?? 0])) };
}

function encodeIo(io: ContainerStats["io"]): Record<string, unknown> {
  const entries = (value: "bytes" | "operations") =>
    io.map((entry) => ({ major: entry.major, minor: entry.minor, op: entry.op, value: entry[value] }));
  return { ...NO_IO, io_service_bytes_recursive: entries("bytes"), io_serviced_recursive: entries("operations") };
}

const NO_IO = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function encodeNetworks(networks: ContainerStats["networks"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(networks).map(([name, counters]) => [
      name,
      {
        rx_bytes: counters.rxBytes,
        rx_packets: counters.rxPackets,
        rx_errors: counters.rxErrors,
        rx_dropped: counters.rxDropped,
        tx_bytes: counters.txBytes,
        tx_packets: counters.txPackets,
        tx_errors: counters.txErrors,
        tx_dropped: counters.txDropped,
      },
    ]),
  );
}

/** What Docker shows of a container that does not run. */
const STOPPED = {
  read: NEVER,
  preread: NEVER,
  pids_stats: {},
  blkio_stats: NO_IO,
  num_procs: 0,
  storage_stats: {},
  cpu_stats: NO_CPU,
  precpu_stats: NO_CPU,
  memory_stats: {},
};
