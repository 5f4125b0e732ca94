import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { UnpackLayer } from "../pull/layer-pull.ts";
import { type StoredLayer, unpackStored } from "../pull/unpack-stored.ts";
import { type ArchivedImage, findImages } from "./find-images.ts";
import { readArchive } from "./read-archive.ts";

export interface LoadRequest {
  /** Plain, or compressed with gzip or zstd. */
  readonly archive: AsyncIterable<Uint8Array>;
  readonly store: ContentStore;
  /** Keeps what is loaded from being swept; the caller disposes it once the images are recorded. */
  readonly lease: Lease;
  /** Load only images for this platform. @default the best for this machine where there is a choice, else all */
  readonly platform?: Platform | undefined;
  readonly unpackLayer: UnpackLayer;
  readonly isUnpacked: (chainId: Digest) => boolean;
  /** Whether an image that is here says that this blob holds this archive. @default all are verified */
  readonly isKnown?: ((layer: StoredLayer) => boolean) | undefined;
  /** Bytes of archive that were unpacked so far; undefined when the layer is done. */
  readonly onProgress?: ((layer: StoredLayer, bytes: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings the images of an archive into the content store, and unpacks their layers: archives of `docker save` of any age
 * since 1.10, and OCI image layouts. Recording and naming them is the caller's, who does it only when all of them are
 * whole.
 *
 * @throws InvalidArgument for archives that are corrupt, truncated, incomplete, or leave their root, and for content that
 *   is not what its digest says; NotFound if no image is for the platform; Unsupported for layers of unknown kinds
 */
export async function loadImages(request: LoadRequest): Promise<readonly ArchivedImage[]> {
  const { store, lease, signal, platform } = request;
  const archive = await readArchive({ archive: request.archive, store, lease, signal });
  const images = await findImages({ archive, store, lease, platform });
  for (const { config, layers } of images) {
    await unpackStored({ ...request, layers: pairLayers(layers, config.rootfs.diff_ids) });
  }
  return images;
}

/** Layers of a manifest with the diff ids of its configuration, which are as many. */
export function pairLayers(layers: ArchivedImage["layers"], diffIds: readonly Digest[]): readonly StoredLayer[] {
  return layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index] ?? descriptor.digest }));
}
