import {
  type ArchivedImage,
  familiarReference,
  layerCompression,
  pairLayers,
  loadImages as readImages,
  type StoredLayer,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImagesApi, Progress } from "../engine-api.ts";
import { platformAsked } from "./image-platform.ts";
import { unpackInto } from "./unpack-into.ts";

type LoadOptions = Parameters<ImagesApi["load"]>[1];

/** Takes the images of an archive in. They get their names when all of them are whole; before that nothing is seen. */
export async function loadImages(
  context: EngineContext,
  archive: AsyncIterable<Uint8Array>,
  { platform, accept, onEvent, signal }: LoadOptions,
): Promise<void> {
  const { images, snapshotter } = context;
  using lease = images.content.lease();
  const known = knownLayers(context);
  try {
    const loaded = await readImages({
      archive,
      store: images.content,
      lease,
      platform: platformAsked(platform),
      unpackLayer: (layer) => unpackInto(context, layer),
      isUnpacked: (chainId) => snapshotter.has(chainId),
      isKnown: (layer) => known.has(layerKey(layer)),
      onProgress: (layer, bytes) => onEvent({ kind: "progress", progress: progressOf(layer, bytes) }),
      signal,
    });
    for (const tag of loaded.flatMap(({ tags }) => tags)) accept?.(familiarReference(tag));
    for (const image of loaded) await record(context, image, onEvent);
  } finally {
    // What the archive held besides, and all of it when it was refused.
    context.background.run("removing what an archive left", () => images.sweep());
  }
}

const layerKey = ({ descriptor, diffId }: StoredLayer): string => `${descriptor.digest} ${diffId}`;

/** Blobs of which images that are here say which archives they hold; that was verified when those came. */
function knownLayers(context: EngineContext): ReadonlySet<string> {
  const records = context.images.store.list();
  return new Set(records.flatMap(({ layers, config }) => pairLayers(layers, config.rootfs.diff_ids).map(layerKey)));
}

function progressOf({ descriptor, diffId }: StoredLayer, bytes: number | undefined): Progress {
  const progress = { id: diffId.slice(diffId.indexOf(":") + 1).slice(0, 12), status: "Loading layer" };
  // How much is in a compressed layer is known at its end only.
  const total = layerCompression(descriptor.mediaType) === "none" ? descriptor.size : undefined;
  if (bytes !== undefined) return { ...progress, current: bytes, ...(total === undefined ? {} : { total }) };
  return { ...progress, current: total ?? descriptor.size, total: total ?? descriptor.size };
}

async function record(context: EngineContext, image: ArchivedImage, onEvent: LoadOptions["onEvent"]): Promise<void> {
  const { images, events } = context;
  const { manifest, indexes, id, config, tags } = image;
  const before = tags.map((tag) => images.store.find(tag)?.id);
  const size = images.filesSize(config.rootfs.diff_ids);
  await images.store.add({ manifest, indexes, size, tags });
  events.publish("image", "load", id, { name: id });
  for (const [index, tag] of tags.entries()) {
    const name = familiarReference(tag);
    const from = before[index];
    if (from !== undefined && from !== id) onEvent({ kind: "moved", name, from });
    events.publish("image", "tag", id, { name });
    onEvent({ kind: "loaded", id, name });
  }
  if (tags.length === 0) onEvent({ kind: "loaded", id });
}
