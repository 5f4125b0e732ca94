import {
  applyChanges,
  familiarReference,
  type ImageConfig,
  type ImageRuntimeConfig,
  type Lease,
  type Reference,
  type StoredLayer,
  unpackStored,
} from "@boxship/oci";
import { parseSignal } from "../container/container-kill.ts";
import type { EngineContext } from "../context.ts";
import { unpackInto } from "./unpack-into.ts";

export interface ImageToMake {
  readonly config: Omit<ImageConfig, "rootfs">;
  /** Bottom first; their blobs are in the content store. */
  readonly layers: readonly StoredLayer[];
  readonly tags: readonly Reference[];
  /** Protects the layers. */
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
}

/** Unpacks the layers that are not yet, then records and names the image. @returns its id */
export async function makeImage(context: EngineContext, image: ImageToMake): Promise<string> {
  const { images, snapshotter, events } = context;
  const { config, layers, tags, lease, signal } = image;
  await unpackStored({
    store: images.content,
    layers,
    unpackLayer: (layer) => unpackInto(context, layer),
    isUnpacked: (chainId) => snapshotter.has(chainId),
    // The blobs were made from these archives just now, or are those of an image that is here.
    isKnown: () => true,
    signal,
  });
  const size = images.filesSize(layers.map(({ diffId }) => diffId));
  const { id } = await images.store.addFromLayers({ config, layers, size, tags, lease });
  for (const tag of tags) events.publish("image", "tag", id, { name: familiarReference(tag) });
  return id;
}

/** A configuration with `--change` instructions applied. @throws InvalidArgument */
export function changedConfig(config: ImageRuntimeConfig, changes: readonly string[] = []): ImageRuntimeConfig {
  return applyChanges(config, changes, { isSignal });
}

function isSignal(text: string): boolean {
  try {
    parseSignal(text);
    return true;
  } catch {
    return false;
  }
}
