import { availableParallelism, totalmem } from "node:os";
import type { CgroupStats } from "@boxship/kernel";
import { containerResources } from "../containers/container-resources.ts";
import { allContainers } from "../types.ts";
import type { Metric, Sample } from "./exposition.ts";
import type { ContainerUsage, PodUsage } from "./pod-usage.ts";

const NANO = 1e9;

/** One series: what it is called, and what of a container or of a whole pod it tells. */
interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: Metric["type"];
  readonly of: (usage: Usage) => number | undefined;
  /** @default none */
  readonly labels?: Readonly<Record<string, string>>;
}

interface Usage {
  readonly stats: Pick<ContainerUsage["stats"], "cpu" | "memory" | "writableLayer">;
  readonly group: CgroupStats | undefined;
}

const counter = (name: string, help: string, of: Series["of"], labels = {}): Series => ({
  name,
  help,
  type: "counter",
  of,
  labels,
});
const gauge = (name: string, help: string, of: Series["of"], labels = {}): Series => ({
  name,
  help,
  type: "gauge",
  of,
  labels,
});
const seconds = (nanoseconds: number | undefined) => (nanoseconds === undefined ? undefined : nanoseconds / NANO);
const sum = (group: CgroupStats | undefined, of: (one: NonNullable<CgroupStats["io"]>[number]) => number) =>
  group?.io?.reduce((total, one) => total + of(one), 0);

const SERIES: readonly Series[] = [
  counter("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", cpuSeconds, {
    cpu: "total",
  }),
  counter("container_cpu_user_seconds_total", "Cumulative user cpu time consumed in seconds.", ({ group }) =>
    seconds(group?.cpu?.user),
  ),
  counter("container_cpu_system_seconds_total", "Cumulative system cpu time consumed in seconds.", ({ group }) =>
    seconds(group?.cpu?.system),
  ),
  counter(
    "container_cpu_cfs_periods_total",
    "Number of elapsed enforcement period intervals.",
    ({ group }) => group?.cpu?.periods,
  ),
  counter(
    "container_cpu_cfs_throttled_periods_total",
    "Number of throttled period intervals.",
    ({ group }) => group?.cpu?.throttledPeriods,
  ),
  counter(
    "container_cpu_cfs_throttled_seconds_total",
    "Total time duration the container has been throttled.",
    ({ group }) => seconds(group?.cpu?.throttledTime),
  ),
  gauge(
    "container_memory_usage_bytes",
    "Current memory usage in bytes, including all memory.",
    ({ stats }) => stats.memory?.usageBytes?.value,
  ),
  gauge("container_memory_working_set_bytes", "Current working set in bytes.", workingSet),
  gauge("container_memory_rss", "Size of RSS in bytes.", ({ stats }) => stats.memory?.rssBytes?.value),
  gauge("container_memory_cache", "Number of bytes of page cache memory.", ({ group }) => group?.memory?.cache),
  gauge("container_memory_swap", "Container swap usage in bytes.", ({ group }) => group?.memory?.swap),
  gauge(
    "container_memory_max_usage_bytes",
    "Maximum memory usage recorded in bytes",
    ({ group }) => group?.memory?.peak,
  ),
  counter("container_memory_failcnt", "Number of memory usage hits limits", ({ group }) => group?.memory?.failures),
  counter(
    "container_memory_failures_total",
    "Cumulative count of memory allocation failures.",
    ({ stats }) => stats.memory?.pageFaults?.value,
    { failure_type: "pgfault", scope: "container" },
  ),
  counter(
    "container_memory_failures_total",
    "Cumulative count of memory allocation failures.",
    ({ stats }) => stats.memory?.majorPageFaults?.value,
    { failure_type: "pgmajfault", scope: "container" },
  ),
  counter(
    "container_oom_events_total",
    "Count of out of memory events observed for the container",
    ({ group }) => group?.memory?.outOfMemoryKills,
  ),
  gauge(
    "container_processes",
    "Number of processes running inside the container.",
    ({ group }) => group?.pids?.current,
  ),
  counter("container_fs_reads_total", "Cumulative count of reads completed", ({ group }) =>
    sum(group, ({ readOperations }) => readOperations),
  ),
  counter("container_fs_reads_bytes_total", "Cumulative count of bytes read", ({ group }) =>
    sum(group, ({ readBytes }) => readBytes),
  ),
  counter("container_fs_writes_total", "Cumulative count of writes completed", ({ group }) =>
    sum(group, ({ writeOperations }) => writeOperations),
  ),
  counter("container_fs_writes_bytes_total", "Cumulative count of bytes written", ({ group }) =>
    sum(group, ({ writeBytes }) => writeBytes),
  ),
  gauge(
    "container_fs_usage_bytes",
    "Number of bytes that are consumed by the container on this filesystem.",
    ({ stats }) => stats.writableLayer?.usedBytes?.value,
  ),
];

function cpuSeconds({ stats }: Usage): number | undefined {
  return seconds(stats.cpu?.usageCoreNanoSeconds?.value);
}

function workingSet({ stats }: Usage): number | undefined {
  return stats.memory?.workingSetBytes?.value;
}

/** What cAdvisor tells of containers and pods, by its names and labels. A whole pod has no container's name. */
export function cadvisorMetrics(usages: readonly PodUsage[], now: number): readonly Metric[] {
  const all = usages.flatMap((usage) => [
    ...usage.containers.map((one) => ({ usage: one as Usage, labels: labelsOf(usage, one) })),
    { usage: { stats: usage.stats.linux ?? {}, group: usage.group } as Usage, labels: labelsOf(usage) },
  ]);
  const metrics = new Map<string, Metric>();
  const add = (name: string, help: string, type: Metric["type"], samples: readonly Sample[]): void =>
    void metrics.set(name, { name, help, type, samples: [...(metrics.get(name)?.samples ?? []), ...samples] });
  for (const { name, help, type, of, labels: more } of SERIES) {
    const samples = all.flatMap(({ usage, labels }) => {
      const value = of(usage);
      return value === undefined || !Number.isFinite(value) ? [] : [{ labels: { ...labels, ...more }, value }];
    });
    add(name, help, type, samples);
  }
  for (const usage of usages) {
    for (const one of usage.containers)
      for (const [name, value] of settings(usage, one, now))
        add(name, HELP[name] ?? name, "gauge", [{ labels: labelsOf(usage, one), value }]);
    for (const { name: device, rxBytes, rxErrors, txBytes, txErrors } of usage.stats.linux?.network?.interfaces ?? []) {
      const labels = { ...labelsOf(usage), interface: device };
      for (const [name, value] of [
        ["receive_bytes", rxBytes],
        ["receive_errors", rxErrors],
        ["transmit_bytes", txBytes],
        ["transmit_errors", txErrors],
      ] as const) {
        const help = `Cumulative count of ${name.replace("_", " ")}`;
        add(`container_network_${name}_total`, help, "counter", [{ labels, value: value?.value ?? 0 }]);
      }
    }
  }
  const machine = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: "gauge",
    samples: [{ labels: {}, value }],
  });
  return [
    ...metrics.values(),
    machine("machine_cpu_cores", "Number of logical CPU cores.", availableParallelism()),
    machine("machine_memory_bytes", "Amount of memory installed on the machine.", totalmem()),
  ];
}

const HELP: Readonly<Record<string, string>> = {
  container_start_time_seconds: "Start time of the container since unix epoch in seconds.",
  container_last_seen: "Last time a container was seen by the exporter",
  container_spec_cpu_period: "CPU period of the container.",
  container_spec_cpu_quota: "CPU quota of the container.",
  container_spec_cpu_shares: "CPU share of the container.",
  container_spec_memory_limit_bytes: "Memory limit for the container.",
};

/** What does not change with use. */
function settings(
  { pod }: PodUsage,
  { name, startedAt }: ContainerUsage,
  now: number,
): readonly (readonly [string, number])[] {
  const spec = allContainers(pod).find((one) => one.name === name);
  const limits = spec === undefined ? undefined : containerResources(spec);
  return [
    ...(Number.isNaN(startedAt) ? [] : [["container_start_time_seconds", startedAt / 1000] as const]),
    ["container_last_seen", Math.floor(now / 1000)],
    ...(limits === undefined
      ? []
      : [
          ["container_spec_cpu_period", limits.cpuPeriod ?? 100_000] as const,
          ...(limits.cpuQuota === undefined ? [] : [["container_spec_cpu_quota", limits.cpuQuota] as const]),
          ["container_spec_cpu_shares", limits.cpuShares] as const,
          ["container_spec_memory_limit_bytes", limits.memoryLimitInBytes ?? 0] as const,
        ]),
  ];
}

function labelsOf({ pod, path }: PodUsage, container?: ContainerUsage): Readonly<Record<string, string>> {
  const { name = "", namespace = "" } = pod.metadata;
  return {
    container: container?.name ?? "",
    id: container?.path ?? path,
    image: container?.image ?? "",
    name: container?.id ?? "",
    namespace,
    pod: name,
  };
}

/** What autoscalers need, at `/metrics/resource`. @param node of the whole machine: seconds and bytes */
export function resourceMetrics(
  usages: readonly PodUsage[],
  node: { readonly cpu: number; readonly memory: number },
  now: number,
): readonly Metric[] {
  const metric = (name: string, help: string, type: Metric["type"], samples: readonly Sample[]): Metric => ({
    name,
    help,
    type,
    samples: samples.map((sample) => ({ ...sample, at: now })),
  });
  const of = (pick: (usage: Usage) => number | undefined, whole: boolean): readonly Sample[] =>
    usages.flatMap((usage) => {
      const { name: pod = "", namespace = "" } = usage.pod.metadata;
      const all = whole
        ? [
            {
              labels: { namespace, pod },
              value: pick({ stats: usage.stats.linux ?? {}, group: usage.group } as Usage) ?? 0,
            },
          ]
        : usage.containers.map((one) => ({ labels: { container: one.name, namespace, pod }, value: pick(one) ?? 0 }));
      return all;
    });
  const starts = usages.flatMap(({ pod, containers }) =>
    containers
      .filter(({ startedAt }) => !Number.isNaN(startedAt))
      .map(({ name, startedAt }) => ({
        labels: { container: name, namespace: pod.metadata.namespace ?? "", pod: pod.metadata.name ?? "" },
        value: startedAt / 1000,
      })),
  );
  const cpu = "Cumulative cpu time consumed by the";
  const memory = "Current working set of the";
  return [
    metric("container_cpu_usage_seconds_total", `${cpu} container in core-seconds`, "counter", of(cpuSeconds, false)),
    metric("container_memory_working_set_bytes", `${memory} container in bytes`, "gauge", of(workingSet, false)),
    metric("container_start_time_seconds", "Start time of the container since unix epoch in seconds", "gauge", starts),
    metric("node_cpu_usage_seconds_total", `${cpu} node in core-seconds`, "counter", [{ labels: {}, value: node.cpu }]),
    metric("node_memory_working_set_bytes", `${memory} node in bytes`, "gauge", [{ labels: {}, value: node.memory }]),
    metric("pod_cpu_usage_seconds_total", `${cpu} pod in core-seconds`, "counter", of(cpuSeconds, true)),
    metric("pod_memory_working_set_bytes", `${memory} pod in bytes`, "gauge", of(workingSet, true)),
    metric("resource_scrape_error", "1 if there was an error while getting container metrics, 0 otherwise", "gauge", [
      { labels: {}, value: 0 },
    ]),
  ];
}
