import { Semaphore } from "@boxship/base";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { chainIds, type Digest } from "../digest.ts";
import type { RegistryClient, RequestOptions } from "../distribution/client.ts";
import type { ImageConfig } from "../image-config.ts";
import type { Platform } from "../platform.ts";
import type { Reference } from "../reference.ts";
import { LayerPull, type LayerPullShared, type UnpackLayer } from "./layer-pull.ts";
import type { PullListener } from "./progress.ts";
import { resolveImage } from "./resolve-image.ts";

export interface PullRequest extends RequestOptions {
  readonly client: RegistryClient;
  readonly store: ContentStore;
  /** `:latest` is added if it has neither tag nor digest. */
  readonly reference: Reference;
  /**
   * Accept only an image that runs on this platform.
   * @default the best for this machine; an image for another one if the reference has no other
   */
  readonly platform?: Platform | undefined;
  /** Keeps what is pulled from being swept; the caller disposes it once the image is recorded. */
  readonly lease: Lease;
  /** Unpacks layers as they arrive. @default layers are only fetched */
  readonly unpackLayer?: UnpackLayer | undefined;
  /** Whether the layer of this chain id, and all below it, are unpacked already. @default none is */
  readonly isUnpacked?: ((chainId: Digest) => boolean) | undefined;
  readonly onProgress?: PullListener | undefined;
  /** Asked before any layer is fetched; throws to refuse the image. @default all are admitted */
  readonly admit?: AdmitImage | undefined;
  /** @default 3 */
  readonly concurrentDownloads?: number | undefined;
  /** @default 4 */
  readonly concurrentUnpacks?: number | undefined;
}

/** Decides about an image: by its name, what the name stands for, and the manifest that was chosen from it. */
export type AdmitImage = (image: {
  readonly reference: Reference;
  readonly root: Digest;
  readonly manifest: Digest;
}) => Promise<void>;

export interface PulledLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Bytes of the files' content; undefined if it was not unpacked by this pull. */
  readonly size: number | undefined;
}

export interface PulledImage {
  /** Digest of the configuration: the image's id. */
  readonly id: Digest;
  /** What the reference stands for in the registry: the manifest, or the index it was chosen from. */
  readonly root: Descriptor;
  /** Indexes from the root to the manifest; empty if the root is the manifest. */
  readonly indexes: readonly Descriptor[];
  readonly manifest: Descriptor;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly PulledLayer[];
  /** Bytes of manifest, configuration and layers as they are kept. */
  readonly contentSize: number;
}

/**
 * Brings an image from a registry into the content store, and its layers, while they arrive, to whoever unpacks them.
 *
 * Blobs that are there are not fetched again; a blob that several pulls want is fetched once. Digests and sizes of
 * everything are verified. When it rejects, nothing of it runs any more; what arrived is kept for the next try.
 */
export async function pullImage(request: PullRequest): Promise<PulledImage> {
  const { onProgress, lease } = request;
  const resolved = await resolveImage(request);
  const { manifest, config } = resolved;
  const { reference } = request;
  await request.admit?.({ reference, root: resolved.root.digest, manifest: resolved.manifestDescriptor.digest });
  const chain = chainIds(config.rootfs.diff_ids);
  for (const layer of manifest.layers) lease.add(layer.digest);
  const layers = await pullLayers(request, manifest.layers, config.rootfs.diff_ids, chain);
  onProgress?.({ kind: "digest", digest: resolved.root.digest });
  const sizes = [resolved.manifestDescriptor, manifest.config, ...manifest.layers].map(({ size }) => size);
  return {
    id: manifest.config.digest,
    root: resolved.root,
    indexes: resolved.indexes,
    manifest: resolved.manifestDescriptor,
    config,
    layers,
    contentSize: sizes.reduce((sum, size) => sum + size, 0),
  };
}

/** All layers side by side; the first failure ends the others, and all have ended when it is thrown. */
async function pullLayers(
  request: PullRequest,
  descriptors: readonly Descriptor[],
  diffIds: readonly Digest[],
  chain: readonly Digest[],
): Promise<readonly PulledLayer[]> {
  const { signal, concurrentDownloads = 3, concurrentUnpacks = 4 } = request;
  const stop = new AbortController();
  const shared: LayerPullShared = {
    request,
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    fail: (error) => stop.abort(error),
    downloads: new Semaphore(concurrentDownloads),
    unpacks: new Semaphore(concurrentUnpacks),
  };
  let below: LayerPull | undefined;
  const pulls = descriptors.map((descriptor, index) => {
    const [diffId, chainId] = [diffIds[index] ?? descriptor.digest, chain[index] ?? descriptor.digest];
    below = new LayerPull(shared, { index, descriptor, diffId, chainId, parentChainId: chain[index - 1] }, below);
    return below;
  });
  const layers = await Promise.allSettled(pulls.map((pull) => pull.run()));
  shared.signal.throwIfAborted();
  return layers.map((layer) => {
    if (layer.status === "rejected") throw layer.reason;
    return layer.value;
  });
}
