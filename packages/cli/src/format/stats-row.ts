import { shortId } from "./image-name.ts";
import type { RowType } from "./row.ts";
import { binarySize, humanSize } from "./units.ts";

interface CpuStats {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

/** One sample of a container, as the engine sends it. */
export interface ContainerStats {
  readonly id?: string;
  readonly name?: string;
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly pids_stats?: { readonly current?: number };
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null;
  };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>> | null;
}

/** One line: a container, and its latest sample if there is one. */
export interface StatsLine {
  /** As the user named it. */
  readonly container: string;
  readonly id: string;
  readonly sample: ContainerStats | undefined;
}

const NO_VALUE = "--";

/** CPU time used since the sample before, in percent of one CPU. */
export function cpuPercent({ cpu_stats: now = {}, precpu_stats: before = {} }: ContainerStats): number {
  const used = (now.cpu_usage?.total_usage ?? 0) - (before.cpu_usage?.total_usage ?? 0);
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || now.cpu_usage?.percpu_usage?.length || 1;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Memory in use without the page cache that could be dropped. */
export function memoryUsed({ memory_stats: { usage = 0, stats = {} } = {} }: ContainerStats): number {
  // cgroup v1 and v2 call it differently.
  const inactive = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

function blockBytes({ blkio_stats }: ContainerStats, operation: string): number {
  return (blkio_stats?.io_service_bytes_recursive ?? [])
    .filter(({ op }) => op.toLowerCase() === operation)
    .reduce((total, { value }) => total + value, 0);
}

function networkBytes({ networks }: ContainerStats, direction: "rx_bytes" | "tx_bytes"): number {
  return Object.values(networks ?? {}).reduce((total, network) => total + network[direction], 0);
}

const percent = (value: number): string => `${value.toFixed(2)}%`;

const of = (show: (sample: ContainerStats) => string, missing = NO_VALUE) => {
  return ({ sample }: StatsLine): string => (sample === undefined ? missing : show(sample));
};

function memoryPercent(sample: ContainerStats): string {
  const limit = sample.memory_stats?.limit ?? 0;
  return percent(limit === 0 ? 0 : (memoryUsed(sample) / limit) * 100);
}

const pair = (one: number, other: number): string => `${humanSize(one, 3)} / ${humanSize(other, 3)}`;

export const statsRow: RowType<StatsLine> = {
  goName: "container.statsContext",
  columns: {
    BlockIO: {
      header: "BLOCK I/O",
      value: of((sample) => pair(blockBytes(sample, "read"), blockBytes(sample, "write"))),
    },
    CPUPerc: { header: "CPU %", value: of((sample) => percent(cpuPercent(sample))) },
    Container: { header: "CONTAINER", value: ({ container }) => container },
    ID: { header: "CONTAINER ID", value: ({ id }, { truncate }) => (truncate ? shortId(id) : id) },
    MemPerc: { header: "MEM %", value: of(memoryPercent) },
    MemUsage: {
      header: "MEM USAGE / LIMIT",
      value: of(
        (sample) => `${binarySize(memoryUsed(sample))} / ${binarySize(sample.memory_stats?.limit ?? 0)}`,
        "-- / --",
      ),
    },
    Name: { header: "NAME", value: ({ sample }) => sample?.name?.slice(1) || NO_VALUE },
    NetIO: {
      header: "NET I/O",
      value: of((sample) => pair(networkBytes(sample, "rx_bytes"), networkBytes(sample, "tx_bytes"))),
    },
    PIDs: { header: "PIDS", value: of((sample) => String(sample.pids_stats?.current ?? 0)) },
  },
};

export const STATS_TABLE =
  "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
