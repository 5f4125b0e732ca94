import {
  type Descriptor,
  type Digest,
  decodeImageConfig,
  hostPlatform,
  type ImageConfig,
  type Platform,
} from "@boxship/oci";
import type { ImageSource } from "../transport/contract.ts";
import { verifyFile } from "../transport/files.ts";
import { openScratch } from "../transport/scratch.ts";
import { inspectImage } from "./inspect-image.ts";

/** An image whose layers are files of this machine, until it is disposed. */
export interface ImageFiles extends AsyncDisposable {
  /** Of what the name stands for. */
  readonly digest: Digest;
  /** Of the image's own manifest. */
  readonly manifest: Digest;
  readonly config: ImageConfig;
  /** The bottom first. */
  readonly layers: readonly { readonly digest: Digest; readonly path: string }[];
}

/** Brings the layers of an image here, each verified. @throws InvalidArgument if one is damaged */
export async function openImageFiles(source: ImageSource, platform: Platform = hostPlatform()): Promise<ImageFiles> {
  const { digest, manifestDigest, manifest, configBytes } = await inspectImage(source, platform);
  const scratch = await openScratch();
  try {
    const layers = [];
    for (const layer of manifest.layers)
      layers.push({ digest: layer.digest, path: await fileOf(source, layer, scratch.store) });
    const config = decodeImageConfig(configBytes);
    return {
      digest,
      manifest: manifestDigest,
      config,
      layers,
      [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw error;
  }
}

async function fileOf(
  source: ImageSource,
  layer: Descriptor,
  store: Parameters<ImageSource["blob"]>[1],
): Promise<string> {
  const { path, owned } = await source.blob(layer, store);
  if (!owned) await verifyFile(layer, path);
  return path;
}
