import { InvalidArgument } from "@boxship/base";
import { pushIndex, unpackInto } from "@boxship/engine";
import {
  familiarReference,
  hostPlatform,
  platformRank,
  type Reference,
  saveImages,
  unpackStored,
  withDigest,
} from "@boxship/oci";
import type { BuildResult, Output } from "../contract.ts";
import { registryCredentials } from "../solver/base-image.ts";
import { type BuiltImage, type WrittenIndex, writeIndex } from "./image-index.ts";

type OutputOf<Kind extends Output["kind"]> = Extract<Output, { readonly kind: Kind }>;

/** Makes an index of a build: in the engine's store, in registries, or as an archive in OCI layout. */
export async function exportIndex(
  built: readonly BuiltImage[],
  output: OutputOf<"image" | "oci">,
  tags: readonly Reference[],
): Promise<Partial<BuildResult>> {
  if (output.kind === "image" && output.push === true && tags.length === 0) {
    throw new InvalidArgument("an image without a name cannot be pushed", { remedy: "give it one with --tag" });
  }
  const index = await writeIndex(built, output);
  if (output.kind === "oci") {
    const store = built[0]?.session.parts.engine.images.content;
    if (store === undefined) throw new TypeError("an index of nothing");
    await output.write(
      await saveImages({ store, images: [], indexes: [{ index: index.descriptor, tags, ...partsOf(index) }] }),
    );
    return described(index, output.names);
  }
  await storeImages(index, tags);
  if (output.push === true) for (const tag of tags) await pushBuilt(index, tag);
  return described(index, output.names);
}

function partsOf({ images, attestations }: WrittenIndex) {
  return {
    manifests: images.map(({ manifest }) => manifest),
    blobs: attestations.flatMap(({ manifest, blobs }) => [manifest, ...blobs]),
  };
}

function described(index: WrittenIndex, names: readonly string[]): Partial<BuildResult> {
  const { mediaType, digest, size } = index.descriptor;
  const own = index.images.length === 1 ? index.images[0]?.config.digest : undefined;
  return {
    imageId: own ?? digest,
    descriptor: index.descriptor,
    metadata: {
      "containerimage.digest": digest,
      "containerimage.descriptor": { mediaType, digest, size },
      ...(own === undefined ? {} : { "containerimage.config.digest": own }),
      ...(names.length === 0 ? {} : { "image.name": names.join(",") }),
    },
  };
}

/** The image that runs here gets the names; the others are kept without. All keep the index and its statements. */
async function storeImages(index: WrittenIndex, tags: readonly Reference[]): Promise<void> {
  const own = index.images.find(({ session }) => platformRank(hostPlatform(), session.platform) !== undefined);
  const named = own ?? index.images[0];
  const kept = [index.descriptor, ...partsOf(index).blobs];
  for (const image of index.images) {
    const { session, state, manifest } = image;
    const { engine } = session.parts;
    const { layers } = state;
    await unpackStored({
      store: engine.images.content,
      layers,
      unpackLayer: (layer) => unpackInto(engine, layer),
      isUnpacked: (chainId) => engine.snapshotter.has(chainId),
      isKnown: () => true,
      signal: session.signal,
    });
    const size = engine.images.filesSize(layers.map(({ diffId }) => diffId));
    const names = image === named ? tags : [];
    const { id } = await engine.images.store.add({ manifest, indexes: kept, size, tags: names });
    for (const tag of names) engine.events.publish("image", "tag", id, { name: familiarReference(tag) });
  }
}

async function pushBuilt(index: WrittenIndex, tag: Reference): Promise<void> {
  const [first] = index.images;
  if (first === undefined) return;
  const { session } = first;
  const { engine } = session.parts;
  const { blobs } = partsOf(index);
  const access = { ...(await registryCredentials(session, tag)), lease: session.lease, signal: session.signal };
  await pushIndex(engine, index.descriptor, tag, access);
  const { digest } = index.descriptor;
  const names = { manifest: first.manifest, indexes: [index.descriptor, ...blobs] };
  const size = engine.images.filesSize(first.state.layers.map(({ diffId }) => diffId));
  await engine.images.store.add({ ...names, size, digests: [withDigest(tag, digest)] });
  engine.events.publish("image", "push", familiarReference(tag), { name: familiarReference(tag) });
}
