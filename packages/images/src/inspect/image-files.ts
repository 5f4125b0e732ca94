import { type Digest, decodeImageConfig, hostPlatform, type ImageConfig, type Platform } from "@boxship/oci";
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
  readonly layers: readonly LayerFile[];
}

export interface LayerFile {
  readonly digest: Digest;
  readonly path: string;
  /** False for a file that somebody else keeps, and that was not read yet. */
  readonly verified: boolean;
}

export interface ImageFilesOptions {
  /** @default this machine's */
  readonly platform?: Platform;
  /** Read the layers to verify them; otherwise whoever reads them does so on the way. @default true */
  readonly verify?: boolean;
}

/** Brings the layers of an image here. @throws InvalidArgument if one is damaged */
export async function openImageFiles(source: ImageSource, options: ImageFilesOptions = {}): Promise<ImageFiles> {
  const { platform = hostPlatform(), verify = true } = options;
  const { digest, manifestDigest, manifest, configBytes } = await inspectImage(source, platform);
  const scratch = await openScratch();
  try {
    const layers: LayerFile[] = [];
    for (const layer of manifest.layers) {
      const { path, owned } = await source.blob(layer, scratch.store);
      if (verify && !owned) await verifyFile(layer, path);
      layers.push({ digest: layer.digest, path, verified: verify || owned });
    }
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
