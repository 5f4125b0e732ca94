import { type LayerToUnpack, unpackLayer } from "@boxship/oci";
import type { EngineContext } from "../context.ts";

/** Unpacks one layer into a place of its own in the snapshot tree, which shows it once it is whole. */
export async function unpackInto(context: EngineContext, layer: LayerToUnpack): Promise<{ readonly size: number }> {
  const stage = await context.snapshotter.prepareLayer(layer.chainId, layer.parentChainId);
  try {
    const { size, warnings } = await unpackLayer({
      blobPath: layer.blobPath,
      mediaType: layer.descriptor.mediaType,
      diffId: layer.diffId,
      targetDirectory: stage.directory,
      ...(layer.follow === undefined ? {} : { follow: layer.follow }),
      lowerDirectories: () => stage.lowerDirectories(),
      onProgress: ({ bytes }) => layer.onProgress(bytes),
      signal: layer.signal,
    });
    for (const warning of warnings) context.logger.warn(warning, { layer: layer.descriptor.digest });
    await stage.commit(size);
    return { size };
  } catch (error) {
    await stage.abort();
    throw error;
  }
}
