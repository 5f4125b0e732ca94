import {
  type Descriptor,
  type Digest,
  decodeManifest,
  type ImageRecord,
  isIndexMediaType,
  type Lease,
  type PushRequest,
  pushImage,
  type Reference,
  withDigest,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";

/** An index with all that it names. */
export interface WholeIndex {
  readonly descriptor: Descriptor;
  /** Of images, and of statements about them. */
  readonly manifests: readonly Descriptor[];
}

/** The indexes through which an image came here, the newest last. */
export async function indexesOf({ images }: EngineContext, record: ImageRecord): Promise<readonly WholeIndex[]> {
  const found: WholeIndex[] = [];
  for (const descriptor of record.indexes.filter(({ mediaType }) => isIndexMediaType(mediaType))) {
    const { digest, mediaType } = descriptor;
    if ((await images.content.stat(digest)) === undefined) continue;
    const document = decodeManifest(await images.content.read(digest), { mediaType });
    if (document.kind === "index") found.push({ descriptor, manifests: document.manifests });
  }
  return found;
}

/**
 * The index that an image stands for, if everything is here that it names: of what is pulled for one platform the others
 * are not.
 */
export async function wholeIndex(context: EngineContext, record: ImageRecord): Promise<WholeIndex | undefined> {
  const all = await indexesOf(context, record);
  for (const index of all.toReversed()) {
    if (!index.manifests.some(({ digest }) => digest === record.manifest.digest)) continue;
    const parts = await Promise.all(index.manifests.map((manifest) => isHere(context, manifest)));
    if (parts.every(Boolean)) return index;
  }
  return undefined;
}

async function isHere({ images }: EngineContext, { digest, mediaType }: Descriptor): Promise<boolean> {
  const has = async (part: Digest) => (await images.content.stat(part)) !== undefined;
  if (!(await has(digest))) return false;
  const document = decodeManifest(await images.content.read(digest), { mediaType });
  // An index in an index is nobody's to push.
  if (document.kind === "index") return false;
  const parts = await Promise.all([document.config, ...document.layers].map((part) => has(part.digest)));
  return parts.every(Boolean);
}

type PushOptions = { readonly lease: Lease } & Pick<PushRequest, "credentials" | "mountFrom" | "signal" | "onProgress">;

/** Pushes an index: its manifests first, by digest; what the name stands for, at last. */
export async function pushIndex(
  { images }: EngineContext,
  { digest, mediaType }: Pick<Descriptor, "digest" | "mediaType">,
  name: Reference,
  options: PushOptions,
): Promise<void> {
  const { client, content: store } = images;
  const bytes = await store.read(digest);
  const index = decodeManifest(bytes, { mediaType });
  if (index.kind !== "index") throw new TypeError(`${digest} is no index`);
  for (const { platform, ...manifest } of index.manifests) {
    const reference = withDigest(name, manifest.digest);
    // A statement is no image: what it has for layers is none.
    if (platform?.os === "unknown") await pushStatement(images, manifest, reference, options);
    else await pushImage({ ...options, client, store, reference, manifest });
  }
  await client.putManifest(name, { bytes, digest, mediaType }, options);
}

async function pushStatement(
  { client, content: store }: EngineContext["images"],
  { digest, mediaType }: Descriptor,
  reference: Reference,
  { lease: _leased, mountFrom: _nowhere, onProgress: _untold, ...options }: PushOptions,
): Promise<void> {
  const bytes = await store.read(digest);
  const document = decodeManifest(bytes, { mediaType });
  if (document.kind === "index") throw new TypeError(`${digest} is no manifest`);
  for (const descriptor of [document.config, ...document.layers]) {
    await client.pushBlob({ ...options, reference, descriptor, store });
  }
  await client.putManifest(reference, { bytes, digest, mediaType }, options);
}
