import { Semaphore } from "@boxship/base";
import type { ContentStore } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { chainIds, type Digest } from "../digest.ts";
import { checkDiffId, diffIdOf } from "../layer/make/make-layer.ts";
import type { UnpackLayer } from "./layer-pull.ts";

export interface UnpackStoredRequest {
  readonly store: ContentStore;
  /** Bottom first; their blobs are in the store. */
  readonly layers: readonly StoredLayer[];
  readonly unpackLayer: UnpackLayer;
  /** Whether the layer of this chain id, and all below it, are unpacked already. */
  readonly isUnpacked: (chainId: Digest) => boolean;
  /** Whether it was seen before that this blob holds this archive; what is unpacked already is read to find out otherwise. */
  readonly isKnown?: ((layer: StoredLayer) => boolean) | undefined;
  /** Called with the bytes of archive that were unpacked, and at last without. */
  readonly onProgress?: ((layer: StoredLayer, bytes: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** @default 4, as for a pull */
const CONCURRENT = 4;

/**
 * Unpacks an image's layers that are in the content store and not unpacked yet, side by side. Every diff id is verified.
 * When it rejects, nothing runs any more.
 *
 * @throws InvalidArgument for a layer that is corrupt or not what the configuration says
 */
export async function unpackStored(request: UnpackStoredRequest): Promise<void> {
  const { layers, isUnpacked } = request;
  const stop = new AbortController();
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal]);
  const chain = chainIds(layers.map(({ diffId }) => diffId));
  const slots = new Semaphore(CONCURRENT);
  let turn = Promise.resolve();
  const running = layers.map((layer, index) => {
    const started = Promise.withResolvers<void>();
    const below = turn;
    turn = started.promise;
    const chainId = chain[index] ?? layer.diffId;
    const place = { index, chainId, parentChainId: chain[index - 1], started: started.resolve, signal };
    const work = async () => {
      // A layer finds the one below it in preparation at least.
      await below;
      await slots.run(() => (isUnpacked(chainId) ? verify(request, layer, place) : unpack(request, layer, place)));
    };
    return work()
      .catch((error: unknown) => {
        stop.abort(error);
        throw error;
      })
      .finally(started.resolve);
  });
  await Promise.allSettled(running);
  signal.throwIfAborted();
}

interface Place {
  readonly index: number;
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
  readonly started: () => void;
  readonly signal: AbortSignal;
}

async function verify(request: UnpackStoredRequest, layer: StoredLayer, place: Place): Promise<void> {
  place.started();
  if (request.isKnown?.(layer) === true) return;
  checkDiffId(layer.descriptor, await diffIdOf(request.store, layer.descriptor, place.signal), layer.diffId);
}

async function unpack(request: UnpackStoredRequest, layer: StoredLayer, place: Place): Promise<void> {
  const { store, unpackLayer, onProgress } = request;
  const { started, signal, ...position } = place;
  const blobPath = await store.path(layer.descriptor.digest);
  signal.throwIfAborted();
  const unpacking = unpackLayer({
    ...layer,
    ...position,
    blobPath,
    follow: undefined,
    signal,
    onProgress: (bytes) => onProgress?.(layer, bytes),
  });
  started();
  await unpacking;
  onProgress?.(layer, undefined);
}
