import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerStats, Cri, PodSandboxStats } from "@boxship/cri";
import { type CgroupStats, cgroupLayout, openCgroup } from "@boxship/kernel";
import { LABEL } from "../labels.ts";
import { cgroupOf, type PodSettings } from "../pods/pod-config.ts";
import type { Pod } from "../types.ts";

/** What a running container uses, as the engine and, where it is the node's own, its control group tell. */
export interface ContainerUsage {
  readonly name: string;
  readonly id: string;
  readonly image: string;
  readonly stats: ContainerStats;
  readonly group: CgroupStats | undefined;
  /** Its control group's name. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface PodUsage {
  readonly pod: Pod;
  readonly stats: PodSandboxStats;
  readonly group: CgroupStats | undefined;
  readonly path: string;
  readonly containers: readonly ContainerUsage[];
}

/** A file system that a pod mounts by a claim. */
export interface VolumeUsage {
  readonly namespace: string;
  readonly claim: string;
  readonly capacity: number;
  readonly available: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** What the pods of the node use, at this moment. */
export async function podUsages(
  cri: Pick<Cri, "listContainers" | "listPodSandboxStats">,
  pods: Iterable<Pod>,
  settings: Pick<PodSettings, "cgroupParent">,
): Promise<readonly PodUsage[]> {
  const [{ stats }, { containers }] = await Promise.all([cri.listPodSandboxStats({}), cri.listContainers({})]);
  const images = new Map(containers.map(({ id, image }) => [id, image?.userSpecifiedImage || (image?.image ?? "")]));
  const byUid = new Map(stats.map((one) => [one.attributes?.labels[LABEL.podUid] ?? "", one]));
  const usages: PodUsage[] = [];
  for (const pod of pods) {
    const found = byUid.get(pod.metadata.uid ?? "");
    if (found === undefined) continue;
    const path = cgroupOf(pod, settings);
    const own = (found.linux?.containers ?? []).map(async (one): Promise<ContainerUsage> => {
      const id = one.attributes?.id ?? "";
      const name = one.attributes?.labels[LABEL.containerName] ?? "";
      const status = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
      const startedAt = Date.parse(status.find((each) => each.name === name)?.state.running?.startedAt ?? "");
      const group = join(path, id);
      return { name, id, image: images.get(id) ?? "", stats: one, group: await read(group), path: group, startedAt };
    });
    usages.push({ pod, stats: found, group: await read(path), path, containers: await Promise.all(own) });
  }
  return usages;
}

/** Undefined where another engine has its containers elsewhere. */
async function read(name: string): Promise<CgroupStats | undefined> {
  if (cgroupLayout() === "none") return undefined;
  const group = openCgroup(name);
  return group.exists() ? await group.stats().catch(() => undefined) : undefined;
}

/** @param placeOf where a volume of a pod is; undefined for one that is not mounted */
export async function volumeUsages(
  pods: Iterable<Pod>,
  placeOf: (pod: Pod, volume: string) => Promise<string | undefined>,
): Promise<readonly VolumeUsage[]> {
  const usages = new Map<string, VolumeUsage>();
  for (const pod of pods) {
    const { namespace = "" } = pod.metadata;
    for (const { name, persistentVolumeClaim } of pod.spec.volumes ?? []) {
      const claim = persistentVolumeClaim?.claimName;
      if (claim === undefined || usages.has(`${namespace}/${claim}`)) continue;
      const place = await placeOf(pod, name);
      const found = place === undefined ? undefined : await statfs(place).catch(() => undefined);
      if (found === undefined) continue;
      const { bsize, blocks, bavail, files, ffree } = found;
      const sizes = { capacity: blocks * bsize, available: bavail * bsize, inodes: files, inodesFree: ffree };
      usages.set(`${namespace}/${claim}`, { namespace, claim, ...sizes });
    }
  }
  return [...usages.values()];
}
