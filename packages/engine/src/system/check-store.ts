import { errorMessage } from "@boxship/base";
import {
  type BlobState,
  chainIds,
  type Digest,
  type ImageRecord,
  pairLayers,
  unpackStored,
  verifyBlob,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { StoreCheck, StoreProblem } from "../engine-api.ts";
import { unpackInto } from "../image/unpack-into.ts";

/**
 * Reads the whole content store: each blob against its digest, each image against its blobs and its unpacked layers.
 * Mending removes what is corrupt, unpacks layers that are missing, and forgets images whose documents are lost.
 */
export async function checkStore(context: EngineContext, repair: boolean): Promise<StoreCheck> {
  const { content, store } = context.images;
  const problems: StoreProblem[] = [];
  const states = new Map<string, BlobState>();
  const needed = await context.images.needed();
  let [bytes, orphans, orphanBytes] = [0, 0, 0];
  for await (const { digest, size } of content.list()) {
    bytes += size;
    const state = await verifyBlob(content, digest);
    // It may have gone since it was listed.
    if (state === "missing") continue;
    states.set(digest, state);
    if (!needed.has(digest)) {
      orphans++;
      orphanBytes += size;
    }
    if (state === "whole") continue;
    problems.push({ about: digest, problem: "blob is corrupt", repair: "is removed" });
    if (repair) await content.delete(digest);
  }
  for (const image of store.list()) problems.push(...(await checkImage(context, image, states, repair)));
  if (repair && orphans > 0) await context.images.sweep();
  return { blobs: states.size, bytes, images: store.list().length, orphans, orphanBytes, problems };
}

async function checkImage(
  context: EngineContext,
  image: ImageRecord,
  states: ReadonlyMap<string, BlobState>,
  repair: boolean,
): Promise<readonly StoreProblem[]> {
  const about = image.repoTags[0] ?? image.id;
  const present = (digest: Digest): boolean => states.get(digest) === "whole";
  const lost = image.layers.filter(({ digest }) => !present(digest));
  if (!present(image.manifest.digest) || !present(image.id)) {
    if (repair) await context.images.store.remove(image.id);
    return [{ about, problem: "the image's manifest or configuration is lost", repair: "is forgotten; pull it again" }];
  }
  const problems = lost.map(({ digest }) => ({ about, problem: `layer ${digest} is lost`, repair: undefined }));
  const chain = chainIds(image.config.rootfs.diff_ids);
  if (chain.every((chainId) => context.snapshotter.has(chainId))) return problems;
  const unpacked = { about, problem: "a layer is not unpacked", repair: lost.length > 0 ? undefined : "is unpacked" };
  if (!repair || lost.length > 0) return [...problems, unpacked];
  try {
    await unpackStored({
      store: context.images.content,
      layers: pairLayers(image.layers, image.config.rootfs.diff_ids),
      unpackLayer: (layer) => unpackInto(context, layer),
      isUnpacked: (chainId) => context.snapshotter.has(chainId),
    });
  } catch (error) {
    return [...problems, { ...unpacked, problem: `${unpacked.problem}: ${errorMessage(error)}`, repair: undefined }];
  }
  return [...problems, unpacked];
}
