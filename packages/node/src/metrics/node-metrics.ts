import type { KubeObject } from "@boxship/api";
import type { Clock } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import type { PodSettings } from "../pods/pod-config.ts";
import { readSignals } from "../pressure/read-signals.ts";
import type { Pod } from "../types.ts";
import { agentMetrics, machineSeconds } from "./agent-metrics.ts";
import { cadvisorMetrics, resourceMetrics } from "./container-metrics.ts";
import { exposition } from "./exposition.ts";
import { podUsages, volumeUsages } from "./pod-usage.ts";
import { statsSummary } from "./stats-summary.ts";
import type { UsageSample } from "./usage-samples.ts";

export interface NodeMetricsSources {
  readonly node: string;
  readonly version: string;
  readonly cri: Cri;
  readonly clock: Clock;
  readonly settings: Pick<PodSettings, "cgroupParent">;
  /** On the file system that pods are on. */
  readonly root: string;
  readonly pods: () => Iterable<Pod>;
  /** Where a claim's volume of a pod is; undefined for one that is not mounted. */
  readonly placeOf: (pod: Pod, volume: string) => Promise<string | undefined>;
  readonly shutdown: { readonly start: number; readonly end: number };
  readonly sample: () => Promise<UsageSample>;
}

export interface Told {
  readonly type: string;
  readonly text: string;
}

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const JSON_TYPE = "application/json";

/** What the node tells of itself at a path of the kubelet's; undefined for others. */
export async function nodeMetrics(path: string, sources: NodeMetricsSources): Promise<Told | undefined> {
  const { node, version, cri, clock, settings, root, pods } = sources;
  const usages = () => podUsages(cri, pods(), settings);
  switch (path) {
    case "/healthz":
      return { type: "text/plain; charset=utf-8", text: "ok" };
    case "/pods": {
      const items = [...pods()] as readonly KubeObject[];
      return { type: JSON_TYPE, text: JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items }) };
    }
    case "/metrics": {
      const volumes = await volumeUsages(pods(), sources.placeOf);
      return text(
        await agentMetrics({ node, version, usages: await usages(), volumes, clock, shutdown: sources.shutdown }),
      );
    }
    case "/metrics/cadvisor":
      return text(cadvisorMetrics(await usages(), clock.now()));
    case "/metrics/resource": {
      const [read, cpu, { memory }] = await Promise.all([usages(), machineSeconds(), readSignals(root)]);
      return text(resourceMetrics(read, { cpu, memory: memory.capacity - memory.available }, clock.now()));
    }
    case "/stats/summary": {
      const [read, cpuSeconds, { memory, disk, inodes, pids }, sample] = await Promise.all([
        usages(),
        machineSeconds(),
        readSignals(root),
        sources.sample(),
      ]);
      const files = { ...disk, inodesFree: inodes.available, inodes: inodes.capacity };
      const summary = statsSummary({ node, usages: read, sample, cpuSeconds, memory, disk: files, pids });
      return { type: JSON_TYPE, text: JSON.stringify(summary) };
    }
    default:
      return undefined;
  }
}

const text = (metrics: Parameters<typeof exposition>[0]): Told => ({ type: TEXT, text: exposition(metrics) });
