import { containersOf, type Engine, type ContainerStats as EngineStats, isAlive } from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import type { CriHandlers } from "./contract.ts";
import { containerDoor, nanoseconds, podDoor } from "./door-data.ts";
import type { Metric, MetricDescriptor, PodSandboxMetrics } from "./messages/metrics.ts";
import type { ContainerStats } from "./messages/status.ts";
import { MetricType } from "./messages/values.ts";
import { readStats } from "./stats.ts";

type MetricHandlers = Pick<CriHandlers, "listMetricDescriptors" | "listPodSandboxMetrics">;

/** What is told of a container, or of a pod's network. */
interface Source {
  readonly told: Init<ContainerStats>;
  readonly stats: EngineStats;
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: number;
  /** Labels beside {@link LABELS}. */
  readonly labels: readonly string[];
  /** Values with those labels' own. */
  readonly of: (source: Source) => readonly (readonly [value: number | undefined, ...labels: readonly string[]])[];
}

/** Of every sample, by cAdvisor's names. */
const LABELS = ["container", "id", "image", "name", "namespace", "pod"] as const;

const plain = (type: number, name: string, help: string, of: (source: Source) => number | undefined): Series => ({
  name,
  help,
  type,
  labels: [],
  of: (source) => [[of(source)]],
});
const counter = plain.bind(undefined, MetricType.Counter);
const gauge = plain.bind(undefined, MetricType.Gauge);
/** The CRI has whole numbers only. */
const seconds = (nanoseconds_: number | undefined) => (nanoseconds_ === undefined ? undefined : nanoseconds_ / 1e9);

function moved({ io }: EngineStats, op: "read" | "write", what: "bytes" | "operations"): number {
  return io.filter((one) => one.op === op).reduce((sum, one) => sum + one[what], 0);
}

const OF_CONTAINERS: readonly Series[] = [
  counter("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", ({ stats }) =>
    seconds(stats.cpu.usage),
  ),
  counter("container_cpu_user_seconds_total", "Cumulative user cpu time consumed in seconds.", ({ stats }) =>
    seconds(stats.cpu.user),
  ),
  counter("container_cpu_system_seconds_total", "Cumulative system cpu time consumed in seconds.", ({ stats }) =>
    seconds(stats.cpu.system),
  ),
  counter(
    "container_cpu_cfs_periods_total",
    "Number of elapsed enforcement period intervals.",
    ({ stats }) => stats.cpu.periods,
  ),
  counter(
    "container_cpu_cfs_throttled_periods_total",
    "Number of throttled period intervals.",
    ({ stats }) => stats.cpu.throttledPeriods,
  ),
  counter(
    "container_cpu_cfs_throttled_seconds_total",
    "Total time duration the container has been throttled.",
    ({ stats }) => seconds(stats.cpu.throttledTime),
  ),
  gauge(
    "container_memory_usage_bytes",
    "Current memory usage in bytes, including all memory.",
    ({ stats }) => stats.memory.usage,
  ),
  gauge(
    "container_memory_working_set_bytes",
    "Current working set in bytes.",
    ({ told }) => told.memory?.workingSetBytes?.value,
  ),
  gauge("container_memory_rss", "Size of RSS in bytes.", ({ told }) => told.memory?.rssBytes?.value),
  gauge(
    "container_memory_max_usage_bytes",
    "Maximum memory usage recorded in bytes",
    ({ stats }) => stats.memory.maxUsage,
  ),
  counter("container_memory_failcnt", "Number of memory usage hits limits", ({ stats }) => stats.memory.failcnt),
  {
    name: "container_memory_failures_total",
    help: "Cumulative count of memory allocation failures.",
    type: MetricType.Counter,
    labels: ["failure_type", "scope"],
    of: ({ told }) => [
      [told.memory?.pageFaults?.value, "pgfault", "container"],
      [told.memory?.majorPageFaults?.value, "pgmajfault", "container"],
    ],
  },
  gauge("container_processes", "Number of processes running inside the container.", ({ stats }) => stats.pids.current),
  counter("container_fs_reads_total", "Cumulative count of reads completed", ({ stats }) =>
    moved(stats, "read", "operations"),
  ),
  counter("container_fs_reads_bytes_total", "Cumulative count of bytes read", ({ stats }) =>
    moved(stats, "read", "bytes"),
  ),
  counter("container_fs_writes_total", "Cumulative count of writes completed", ({ stats }) =>
    moved(stats, "write", "operations"),
  ),
  counter("container_fs_writes_bytes_total", "Cumulative count of bytes written", ({ stats }) =>
    moved(stats, "write", "bytes"),
  ),
  gauge(
    "container_fs_usage_bytes",
    "Number of bytes that are consumed by the container on this filesystem.",
    ({ told }) => told.writableLayer?.usedBytes?.value,
  ),
];

type Traffic = EngineStats["networks"][string];

const traffic = (name: string, help: string, of: (one: Traffic) => number): Series => ({
  name: `container_network_${name}_total`,
  help: `Cumulative count of ${help}`,
  type: MetricType.Counter,
  labels: ["interface"],
  of: ({ stats }) => Object.entries(stats.networks).map(([device, one]) => [of(one), device] as const),
});

const OF_PODS: readonly Series[] = [
  traffic("receive_bytes", "bytes received", ({ rxBytes }) => rxBytes),
  traffic("receive_packets", "packets received", ({ rxPackets }) => rxPackets),
  traffic("receive_errors", "errors encountered while receiving", ({ rxErrors }) => rxErrors),
  traffic("receive_packets_dropped", "packets dropped while receiving", ({ rxDropped }) => rxDropped),
  traffic("transmit_bytes", "bytes transmitted", ({ txBytes }) => txBytes),
  traffic("transmit_packets", "packets transmitted", ({ txPackets }) => txPackets),
  traffic("transmit_errors", "errors encountered while transmitting", ({ txErrors }) => txErrors),
  traffic("transmit_packets_dropped", "packets dropped while transmitting", ({ txDropped }) => txDropped),
];

/** What containers and pods use, as agents tell it to Prometheus. */
export function metricHandlers(engine: Engine): MetricHandlers {
  const { parts } = engine;
  const descriptors = [...OF_CONTAINERS, ...OF_PODS].map(({ name, help, labels }): MetricDescriptor => {
    return { name, help, labelKeys: [...LABELS, ...labels] };
  });
  const ofPod = async (pod: ReturnType<typeof parts.pods.all>[number]): Promise<Init<PodSandboxMetrics>> => {
    const { metadata: { name = "", namespace = "" } = {} } = podDoor(pod).config;
    const running = containersOf(parts, pod.id).filter(({ state }) => isAlive(state));
    const timestamp = nanoseconds(parts.clock.now());
    const read = await Promise.all(
      running.map(async (record) => ({ record, source: await readStats(engine, record) })),
    );
    // All containers of a pod are in one network; in the machine's, its traffic is not the pod's.
    const [first] = pod.request.network === "host" ? [] : read;
    const own = ["", pod.id, "", "", namespace, name];
    return {
      podSandboxId: pod.id,
      metrics: first === undefined ? [] : OF_PODS.flatMap((one) => samples(one, first.source, own, timestamp)),
      containerMetrics: read.map(({ record, source }) => {
        const { metadata, image } = containerDoor(record).config;
        const labels = [
          metadata?.name ?? "",
          record.id,
          image?.userSpecifiedImage || (image?.image ?? ""),
          record.id,
          namespace,
          name,
        ];
        return {
          containerId: record.id,
          metrics: OF_CONTAINERS.flatMap((one) => samples(one, source, labels, timestamp)),
        };
      }),
    };
  };
  return {
    listMetricDescriptors: async () => ({ descriptors }),
    async listPodSandboxMetrics() {
      const ready = parts.pods.all().filter(({ state }) => state === "ready");
      return { podMetrics: await Promise.all(ready.map(ofPod)) };
    },
  };
}

function samples(
  { name, type, of }: Series,
  source: Source,
  labels: readonly string[],
  timestamp: bigint,
): Init<Metric>[] {
  return of(source).flatMap(([value, ...more]) =>
    value === undefined || !Number.isFinite(value)
      ? []
      : [{ name, timestamp, metricType: type, labelValues: [...labels, ...more], value: { value: Math.floor(value) } }],
  );
}
