import type { JsonObject } from "@boxship/api";
import { timestamp } from "@boxship/api";
import type { PodUsage } from "./pod-usage.ts";
import type { Usage, UsageSample } from "./usage-samples.ts";

export interface SummarySources {
  readonly node: string;
  readonly usages: readonly PodUsage[];
  readonly sample: UsageSample;
  /** Of the whole machine since its start: seconds of processors. */
  readonly cpuSeconds: number;
  readonly memory: { readonly available: number; readonly capacity: number };
  readonly disk: Disk;
  readonly pids: { readonly available: number; readonly capacity: number };
}

interface Disk {
  readonly available: number;
  readonly capacity: number;
  readonly inodesFree: number;
  readonly inodes: number;
}

/** What `/stats/summary` tells, as `v1alpha1.Summary`. */
export function statsSummary(sources: SummarySources): JsonObject {
  const { node, usages, sample, cpuSeconds, memory, disk, pids } = sources;
  const time = timestamp(sample.at);
  const whole = {
    time,
    availableBytes: memory.available,
    usageBytes: memory.capacity - memory.available,
    workingSetBytes: memory.capacity - memory.available,
  };
  return {
    node: {
      nodeName: node,
      cpu: cpuOf(time, sample.node, cpuSeconds * 1e9),
      memory: whole,
      fs: fsOf(time, disk),
      runtime: { imageFs: fsOf(time, disk) },
      rlimit: { time, maxpid: pids.capacity, curproc: pids.capacity - pids.available },
    },
    pods: usages.map((usage) => podOf(usage, sample, disk)),
  };
}

function cpuOf(time: string, usage: Usage | undefined, nanoseconds: number | undefined): JsonObject {
  return {
    time,
    ...(usage === undefined ? {} : { usageNanoCores: Math.round(usage.cpu * 1e9) }),
    usageCoreNanoSeconds: Math.round(nanoseconds ?? 0),
  };
}

function fsOf(time: string, { available, capacity, inodesFree, inodes }: Disk, usedBytes?: number): JsonObject {
  return {
    time,
    availableBytes: available,
    capacityBytes: capacity,
    usedBytes: usedBytes ?? capacity - available,
    inodesFree,
    inodes,
  };
}

function podOf({ pod, stats, group, containers }: PodUsage, sample: UsageSample, disk: Disk): JsonObject {
  const time = timestamp(sample.at);
  const { name = "", namespace = "", uid = "" } = pod.metadata;
  const known = sample.containers.get(uid);
  const cores = [...(known?.values() ?? [])].reduce((total, { cpu }) => total + cpu, 0);
  const [first, ...more] = (stats.linux?.network?.interfaces ?? []).map((one) => ({
    name: one.name,
    rxBytes: one.rxBytes?.value ?? 0,
    rxErrors: one.rxErrors?.value ?? 0,
    txBytes: one.txBytes?.value ?? 0,
    txErrors: one.txErrors?.value ?? 0,
  }));
  return {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? time,
    containers: containers.map(({ name: container, stats: own, startedAt }) => ({
      name: container,
      startTime: timestamp(Number.isNaN(startedAt) ? sample.at : startedAt),
      cpu: cpuOf(time, known?.get(container), own.cpu?.usageCoreNanoSeconds?.value),
      memory: memoryOf(time, own.memory),
      rootfs: fsOf(time, disk, own.writableLayer?.usedBytes?.value ?? 0),
    })),
    cpu: cpuOf(time, { cpu: cores, memory: 0 }, stats.linux?.cpu?.usageCoreNanoSeconds?.value),
    memory: memoryOf(time, stats.linux?.memory),
    ...(first === undefined ? {} : { network: { time, ...first, interfaces: [first, ...more] } }),
    process_stats: { process_count: stats.linux?.process?.processCount?.value ?? group?.pids?.current ?? 0 },
  };
}

function memoryOf(time: string, memory: NonNullable<PodUsage["stats"]["linux"]>["memory"]): JsonObject {
  const { availableBytes } = memory ?? {};
  return {
    time,
    ...(availableBytes === undefined ? {} : { availableBytes: availableBytes.value }),
    usageBytes: memory?.usageBytes?.value ?? 0,
    workingSetBytes: memory?.workingSetBytes?.value ?? 0,
    rssBytes: memory?.rssBytes?.value ?? 0,
    pageFaults: memory?.pageFaults?.value ?? 0,
    majorPageFaults: memory?.majorPageFaults?.value ?? 0,
  };
}
