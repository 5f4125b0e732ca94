import { type BootstrapKind, chainIds, bootstrapImage as makeImage, unpackLayer } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { Progress } from "../engine-api.ts";

/** Makes a base image from what the machine and its distribution have, unpacks it and gives it its names. */
export async function bootstrapImage(
  context: EngineContext,
  kind: BootstrapKind,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<{ readonly id: string; readonly tags: readonly string[] }> {
  const { images, snapshotter } = context;
  using lease = images.content.lease();
  const { layer, image, tags } = await makeImage({
    kind,
    store: images.content,
    lease,
    onProgress: (status) => onProgress({ status }),
    ...(signal === undefined ? {} : { signal }),
  });
  const [chainId = ""] = chainIds([layer.diffId]);
  if (!snapshotter.has(chainId)) {
    onProgress({ status: "unpacking" });
    const stage = await snapshotter.prepareLayer(chainId);
    try {
      const { size } = await unpackLayer({
        blobPath: await images.content.path(layer.descriptor.digest),
        mediaType: layer.descriptor.mediaType,
        diffId: layer.diffId,
        targetDirectory: stage.directory,
        ...(signal === undefined ? {} : { signal }),
      });
      await stage.commit(size);
    } catch (error) {
      await stage.abort();
      throw error;
    }
  }
  const record = await images.store.addFromLayers(image);
  for (const tag of tags) context.events.publish("image", "tag", record.id, { name: tag });
  return { id: record.id, tags };
}
