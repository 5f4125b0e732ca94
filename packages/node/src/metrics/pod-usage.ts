import { join } from "node:path";
import type { ContainerStats, Cri, PodSandboxStats } from "@boxship/cri";
import { type CgroupStats, cgroupLayout, openCgroup } from "@boxship/kernel";
import { LABEL } from "../labels.ts";
import { cgroupOf, type PodSettings } from "../pods/pod-config.ts";
import type { Pod } from "../types.ts";
import { fileSystemSpace } from "../volumes/file-system-answer.ts";

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
      const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
      const status = [...containerStatuses, ...initContainerStatuses].find((each) => each.name === name);
      const startedAt = Date.parse(status?.state.running?.startedAt ?? "");
      const group = join(path, id);
      // Its name, where one has been told: the engine may know the image by its id alone.
      const image = status?.image || images.get(id) || "";
      return { name, id, image, stats: one, group: await read(group), path: group, startedAt };
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
  const usages = new Map<string, Promise<VolumeUsage | undefined>>();
  for (const pod of pods) {
    const { namespace = "" } = pod.metadata;
    for (const { name, persistentVolumeClaim } of pod.spec.volumes ?? []) {
      const claim = persistentVolumeClaim?.claimName;
      if (claim === undefined) continue;
      const before = usages.get(`${namespace}/${claim}`);
      const usage = async () => (await before) ?? (await volumeUsage(namespace, claim, await placeOf(pod, name)));
      usages.set(`${namespace}/${claim}`, usage());
    }
  }
  // At the same time: one whose server does not answer is waited for once, and left out.
  return (await Promise.all(usages.values())).filter((usage) => usage !== undefined);
}

async function volumeUsage(
  namespace: string,
  claim: string,
  place: string | undefined,
): Promise<VolumeUsage | undefined> {
  const found = place === undefined ? undefined : await fileSystemSpace(place).catch(() => undefined);
  if (found === undefined) return undefined;
  const { blockBytes, blocks, available, files, filesFree } = found;
  const sizes = { capacity: blocks * blockBytes, available: available * blockBytes };
  return { namespace, claim, ...sizes, inodes: files, inodesFree: filesFree };
}
