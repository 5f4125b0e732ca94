import type { EngineContext } from "../context.ts";
import type { ContainerRecord } from "./record.ts";
import { mountKey } from "./start-rootfs.ts";

/** Lets go of what {@link prepareRootfs} mounted. Idempotent. */
export async function releaseMounts(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const point of [...record.mounts].reverse()) {
    if (point.type === "volume") await context.volumeStore.unmount(point.name ?? "", record.id);
    else if (point.type === "image") await context.images.unmount(`${record.id}-${mountKey(point)}`);
  }
  await context.snapshotter.unmountContainer(record.id);
}
