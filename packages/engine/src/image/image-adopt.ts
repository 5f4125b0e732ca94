import {
  type Descriptor,
  decodeImageConfig,
  decodeManifest,
  familiarReference,
  hostPlatform,
  type ImageManifest,
  isImageConfigMediaType,
  type Lease,
  MANIFEST_SIZE_LIMIT,
  pairLayers,
  type Reference,
  selectManifests,
  unpackStored,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import { unpackInto } from "./unpack-into.ts";

/**
 * Makes an image of content that is in the content store already, and names it: nothing is copied, layers that are not
 * unpacked yet are. Of an index it is the image for this machine.
 *
 * @returns its id; undefined for what is no image: an artifact, or an index without anything for this machine
 * @throws InvalidArgument for an image that is corrupt, NotFound where content is missing
 */
export async function adoptImage(
  context: EngineContext,
  root: Descriptor,
  name: Reference,
): Promise<string | undefined> {
  const { images, snapshotter, events } = context;
  using lease = images.content.lease();
  const found = await findImage(context, root, lease);
  if (found === undefined) return undefined;
  const { descriptor, manifest, indexes } = found;
  const config = decodeImageConfig(await images.content.read(manifest.config.digest));
  const layers = pairLayers(manifest.layers, config.rootfs.diff_ids);
  await images.writing(async () => {
    await unpackStored({
      store: images.content,
      layers,
      unpackLayer: (layer) => unpackInto(context, layer),
      isUnpacked: (chainId) => snapshotter.has(chainId),
    });
    const size = images.filesSize(config.rootfs.diff_ids);
    await images.store.add({ manifest: descriptor, indexes, size, tags: [name] });
  });
  const id = manifest.config.digest;
  events.publish("image", "tag", id, { name: familiarReference(name) });
  return id;
}

interface FoundImage {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly indexes: readonly Descriptor[];
}

async function findImage(context: EngineContext, root: Descriptor, lease: Lease): Promise<FoundImage | undefined> {
  const { content } = context.images;
  const indexes: Descriptor[] = [];
  for (let descriptor = root; ; ) {
    lease.add(descriptor.digest);
    const manifest = decodeManifest(await content.read(descriptor.digest, { limit: MANIFEST_SIZE_LIMIT }));
    if (manifest.kind === "manifest") {
      if (!isImageConfigMediaType(manifest.config.mediaType)) return undefined;
      for (const { digest } of [manifest.config, ...manifest.layers]) lease.add(digest);
      return { descriptor, manifest, indexes };
    }
    indexes.push(descriptor);
    const [chosen] = choose(manifest);
    if (chosen === undefined || indexes.length > 4) return undefined;
    descriptor = chosen;
  }
}

function choose(index: Parameters<typeof selectManifests>[0]): readonly Descriptor[] {
  try {
    return selectManifests(index, hostPlatform());
  } catch {
    return [];
  }
}
