import { readFile } from "node:fs/promises";
import { uptime } from "node:os";
import type { Clock } from "@boxship/base";
import type { Metric } from "./exposition.ts";
import type { PodUsage, VolumeUsage } from "./pod-usage.ts";

export interface AgentSources {
  readonly node: string;
  readonly version: string;
  readonly usages: readonly PodUsage[];
  readonly volumes: readonly VolumeUsage[];
  readonly clock: Clock;
  /** When pods were ended last because the machine went down; 0 is never. */
  readonly shutdown: { readonly start: number; readonly end: number };
}

/** What the agent tells of itself and of the volumes of claims, at `/metrics`, by the kubelet's names. */
export async function agentMetrics({
  node,
  version,
  usages,
  volumes,
  clock,
  shutdown,
}: AgentSources): Promise<readonly Metric[]> {
  const gauge = (name: string, help: string, value: number, labels = {}): Metric => ({
    name,
    help,
    type: "gauge",
    samples: [{ labels, value }],
  });
  const ofVolumes = (name: string, help: string, pick: (usage: VolumeUsage) => number): Metric => ({
    name: `kubelet_volume_stats_${name}`,
    help,
    type: "gauge",
    samples: volumes.map((one) => ({
      labels: { namespace: one.namespace, persistentvolumeclaim: one.claim },
      value: pick(one),
    })),
  });
  const running = usages.reduce((total, { containers }) => total + containers.length, 0);
  const { user, system } = process.cpuUsage();
  const started = clock.now() / 1000 - process.uptime();
  const [major = "", minor = ""] = version.replace(/^v/, "").split(".");
  return [
    gauge("kubelet_node_name", "The node's name. The count is always 1.", 1, { node }),
    gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", usages.length),
    gauge("kubelet_running_containers", "Number of containers currently running", running, {
      container_state: "running",
    }),
    ofVolumes("capacity_bytes", "Capacity in bytes of the volume", ({ capacity }) => capacity),
    ofVolumes("available_bytes", "Number of available bytes in the volume", ({ available }) => available),
    ofVolumes("used_bytes", "Number of used bytes in the volume", ({ capacity, available }) => capacity - available),
    ofVolumes("inodes", "Maximum number of inodes in the volume", ({ inodes }) => inodes),
    ofVolumes("inodes_free", "Number of free inodes in the volume", ({ inodesFree }) => inodesFree),
    ofVolumes("inodes_used", "Number of used inodes in the volume", ({ inodes, inodesFree }) => inodes - inodesFree),
    gauge(
      "kubelet_graceful_shutdown_start_time_seconds",
      "Last graceful shutdown start time since unix epoch in seconds",
      shutdown.start,
    ),
    gauge(
      "kubelet_graceful_shutdown_end_time_seconds",
      "Last graceful shutdown end time since unix epoch in seconds",
      shutdown.end,
    ),
    gauge("kubernetes_build_info", "What is served. The count is always 1.", 1, {
      git_version: version,
      major,
      minor,
      platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}`,
    }),
    {
      ...gauge("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", (user + system) / 1e6),
      type: "counter",
    },
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.memoryUsage.rss()),
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", started),
    gauge("node_boot_time_seconds", "Node boot time, in unixtime.", Math.floor(clock.now() / 1000 - uptime())),
  ];
}

/** Of the kernel's accounts: so many in a second. */
const TICKS = 100;

/** What all processors of the machine have worked since its start, in seconds. */
export async function machineSeconds(): Promise<number> {
  const stat = await readFile("/proc/stat", "utf8");
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "")
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + soft) / TICKS;
}
