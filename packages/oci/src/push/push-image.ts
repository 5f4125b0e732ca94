import { Semaphore } from "@boxship/base";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import type { RegistryClient, RequestOptions } from "../distribution/client.ts";
import { compressLayer } from "../layer/make/make-layer.ts";
import { decodeManifest, encodeManifest, type ImageManifest, MANIFEST_SIZE_LIMIT } from "../manifest.ts";
import { isForeignLayer, layerCompression } from "../media-types.ts";
import { familiarReference, type Reference, withDefaultTag } from "../reference.ts";

/** Docker's own words for what happens to a layer. */
export type PushStatus =
  | "Preparing"
  | "Waiting"
  | "Compressing"
  | "Pushing"
  | "Pushed"
  | "Layer already exists"
  | "Mounted from"
  | "Skipped foreign layer";

export interface PushLayerEvent {
  readonly kind: "layer";
  /** Position, from the bottom. */
  readonly index: number;
  readonly status: PushStatus;
  /** Bytes so far, while something moves. */
  readonly current?: number;
  /** Bytes in all, while the blob is sent. */
  readonly total?: number;
  /** Where it was mounted from. */
  readonly from?: Reference;
}

export interface PushRequest extends RequestOptions {
  readonly client: RegistryClient;
  readonly store: ContentStore;
  /** Where to push to; `:latest` is added if it has no tag. */
  readonly reference: Reference;
  /** The image's manifest, with all its content in the store. */
  readonly manifest: Descriptor;
  /**
   * Compress layers that are not, which makes another manifest; else everything is sent as it is.
   * @default false
   */
  readonly compress?: boolean | undefined;
  /** Protects what is made on the way; the caller disposes it once that is recorded. */
  readonly lease: Lease;
  /** Repositories of the same registry that have a blob, as far as is known. @default none is known */
  readonly mountFrom?: ((digest: Digest) => readonly Reference[]) | undefined;
  readonly onProgress?: ((event: PushLayerEvent) => void) | undefined;
  /** @default 5 */
  readonly concurrentUploads?: number | undefined;
}

export interface PushedImage {
  /** What the registry has now. */
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

/**
 * Brings an image into a registry: layers and configuration side by side, then the manifest. Blobs that are there, or can
 * be mounted from another repository there, are not sent. When it rejects nothing of it runs any more, and no tag has
 * changed.
 *
 * @throws PermissionDenied, ResourceExhausted, Unavailable as the registry answers
 */
export async function pushImage(request: PushRequest): Promise<PushedImage> {
  const { client, store, lease } = request;
  const reference = withDefaultTag(request.reference);
  const { digest, mediaType } = request.manifest;
  lease.add(digest);
  const bytes = await store.read(digest, { limit: MANIFEST_SIZE_LIMIT });
  const document = decodeManifest(bytes, { mediaType, name: `manifest of ${familiarReference(reference)}` });
  if (document.kind === "index") throw new TypeError(`${digest} is an index, not the manifest of an image`);
  for (const part of [document.config, ...document.layers]) lease.add(part.digest);
  const layers = await pushBlobs(request, reference, document);
  if (layers.every((layer, index) => layer.digest === document.layers[index]?.digest)) {
    await client.putManifest(reference, { bytes, digest, mediaType: document.mediaType }, request);
    return { manifest: { mediaType: document.mediaType, digest, size: bytes.byteLength }, layers };
  }
  const compressed = encodeManifest({ ...document, layers });
  const made = await store.put(compressed);
  lease.add(made.digest);
  const manifest = { mediaType: document.mediaType, ...made };
  await client.putManifest(reference, { bytes: compressed, ...manifest }, request);
  return { manifest, layers };
}

/** All side by side; the first failure ends the others, and all have ended when it is thrown. */
async function pushBlobs(
  request: PushRequest,
  reference: Reference,
  { config, layers }: ImageManifest,
): Promise<readonly Descriptor[]> {
  const stop = new AbortController();
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal]);
  const pushes = new BlobPushes({ ...request, reference, signal });
  const guard = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  // As Docker shows them: the top layer first.
  for (let index = layers.length - 1; index >= 0; index--) pushes.emit({ index, status: "Preparing" });
  const uploads = layers
    .map((layer, index) => ({ layer, index }))
    .reverse()
    .map(({ layer, index }) => guard(pushes.layer(layer, index)));
  const results = await Promise.allSettled([...uploads, guard(pushes.blob(config))]);
  signal.throwIfAborted();
  const pushed = results.slice(0, layers.length).reverse();
  return pushed.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

class BlobPushes {
  readonly #request: PushRequest & { readonly signal: AbortSignal };
  readonly #slots: Semaphore;
  /** A blob that an image has twice is sent once. */
  readonly #running = new Map<Digest, Promise<unknown>>();
  #busy = 0;

  constructor(request: PushRequest & { readonly signal: AbortSignal }) {
    this.#request = request;
    this.#slots = new Semaphore(this.#limit(request));
  }

  #limit({ concurrentUploads = 5 }: PushRequest): number {
    return concurrentUploads;
  }

  emit(event: Omit<PushLayerEvent, "kind">): void {
    this.#request.onProgress?.({ kind: "layer", ...event });
  }

  /** @returns the layer as it is in the registry */
  async layer(layer: Descriptor, index: number): Promise<Descriptor> {
    if (isForeignLayer(layer.mediaType) && (layer.urls?.length ?? 0) > 0) {
      this.emit({ index, status: "Skipped foreign layer" });
      return layer;
    }
    const earlier = this.#running.get(layer.digest);
    const work = earlier === undefined ? this.#first(layer, index) : this.#again(earlier, layer, index);
    this.#running.set(layer.digest, work);
    return work;
  }

  async #again(earlier: Promise<unknown>, layer: Descriptor, index: number): Promise<Descriptor> {
    const pushed = await earlier;
    this.emit({ index, status: "Layer already exists" });
    return (pushed ?? layer) as Descriptor;
  }

  #first(layer: Descriptor, index: number): Promise<Descriptor> {
    if (this.#busy >= this.#limit(this.#request)) this.emit({ index, status: "Waiting" });
    this.#busy++;
    return this.#slots.run(async () => {
      try {
        const ready = await this.#compressed(layer, index);
        await this.#send(ready, index);
        return ready;
      } finally {
        this.#busy--;
      }
    });
  }

  async #compressed(layer: Descriptor, index: number): Promise<Descriptor> {
    const { compress, store, lease, signal } = this.#request;
    signal.throwIfAborted();
    if (compress !== true || layerCompression(layer.mediaType) !== "none") return layer;
    const onProgress = (current: number) => this.emit({ index, status: "Compressing", current, total: layer.size });
    return compressLayer(layer, { store, lease, signal, onProgress });
  }

  async #send(descriptor: Descriptor, index: number): Promise<void> {
    const { client, store, reference, credentials, signal, mountFrom } = this.#request;
    const total = descriptor.size;
    const result = await client.pushBlob({
      reference,
      descriptor,
      store,
      credentials,
      signal,
      mountFrom: mountFrom?.(descriptor.digest),
      onProgress: (current) => this.emit({ index, status: "Pushing", current, total }),
    });
    if (result.kind === "exists") this.emit({ index, status: "Layer already exists" });
    else if (result.kind === "pushed") this.emit({ index, status: "Pushed" });
    else this.emit({ index, status: "Mounted from", from: result.from });
  }

  /** The configuration: nobody is told. */
  async blob(descriptor: Descriptor): Promise<Descriptor> {
    const { client, store, reference, credentials, signal, mountFrom } = this.#request;
    const from = mountFrom?.(descriptor.digest);
    await client.pushBlob({ reference, descriptor, store, credentials, signal, mountFrom: from });
    return descriptor;
  }
}
