import { type EngineContext, liveOf } from "../context.ts";
import { releaseSources, remapOf } from "../remap/remap.ts";
import type { ContainerRecord } from "./record.ts";
import { releaseSharedMemory } from "./shared-memory.ts";
import { mountKey } from "./start-rootfs.ts";

/** Lets go of what {@link prepareRootfs} mounted. Idempotent. */
export async function releaseMounts(context: EngineContext, record: ContainerRecord): Promise<void> {
  await releaseSources(remapOf(context, record.hostConfig), record.id);
  for (const point of [...record.mounts].reverse()) {
    if (point.type === "volume") await context.volumeStore.unmount(point.name ?? "", record.id);
    else if (point.type === "image") await context.images.unmount(`${record.id}-${mountKey(point)}`);
  }
  await releaseSharedMemory(context, record);
  await context.snapshotter.unmountContainer(record.id);
}

/** Lets go of the volumes alone: whoever hears of the container's end may remove them at once. Idempotent. */
export async function releaseVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  const volumes = record.mounts.filter(({ type }) => type === "volume");
  if (volumes.length === 0) return;
  await releaseSources(remapOf(context, record.hostConfig), record.id);
  for (const { name = "" } of volumes.reverse()) await context.volumeStore.unmount(name, record.id);
}

export interface ReleaseOptions {
  /** The runtime keeps what tells how the run ended, for a later call to take away. @default false */
  readonly keepReport?: boolean;
}

/**
 * Takes away everything of a run that has ended, or did not come about: bundle, namespaces, mounts. Idempotent.
 *
 * @throws what was in the way first; the rest is gone
 */
export async function releaseRun(
  context: EngineContext,
  record: ContainerRecord,
  { keepReport = false }: ReleaseOptions = {},
): Promise<void> {
  const results = [
    ...(await Promise.allSettled([keepReport ? Promise.resolve() : context.runtime.delete(record.id)])),
    ...(await Promise.allSettled([context.network.removeSandbox(record.id)])),
    ...(await Promise.allSettled([releaseMounts(context, record)])),
  ];
  const failed = results.find(({ status }) => status === "rejected");
  liveOf(context, record.id).remains = keepReport || failed !== undefined;
  if (failed?.status === "rejected") throw failed.reason;
}
