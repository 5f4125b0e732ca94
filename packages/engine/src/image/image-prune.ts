import type { EngineContext } from "../context.ts";
import type { ImagesApi } from "../engine-api.ts";
import { deleteImage, type Removal } from "./image-remove.ts";
import { imageView } from "./image-view.ts";

/** Removes images that no container uses: those without a name, or all. Says what disk space that gave back. */
export async function pruneImages(
  context: EngineContext,
  { dangling, filter }: Parameters<ImagesApi["prune"]>[0],
): ReturnType<ImagesApi["prune"]> {
  const { images } = context;
  const before = await usedBytes(context);
  const used = new Set(context.containers.all().map(({ imageId }) => imageId));
  const removed: Removal[] = [];
  for (const record of images.store.list()) {
    if (used.has(record.id) || context.pins.has(record.id)) continue;
    if (dangling && record.repoTags.length > 0) continue;
    if (filter !== undefined && !filter(imageView(context, record))) continue;
    removed.push(...(await deleteImage(context, record)));
  }
  const reclaimed = Math.max(0, before - (await usedBytes(context)));
  context.events.publish("image", "prune", "", { reclaimed: String(reclaimed) });
  return { removed, reclaimed };
}

async function usedBytes({ images, snapshotter }: EngineContext): Promise<number> {
  return (await snapshotter.layersSize()) + (await images.content.usage()).blobBytes;
}
