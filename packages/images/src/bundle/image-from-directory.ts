import { stat } from "node:fs/promises";
import { InvalidArgument, NotFound, systemCode } from "@boxship/base";
import {
  buildLayer,
  type Digest,
  digestOf,
  encodeImageConfig,
  hostPlatform,
  type ImageRuntimeConfig,
  MediaType,
  packDirectory,
  type RewriteOptions,
} from "@boxship/oci";
import { encodeInOrder } from "../copy/convert-manifest.ts";
import type { ImageDestination } from "../transport/contract.ts";
import { inScratch, scratchFor } from "../transport/scratch.ts";

export interface DirectoryImageRequest {
  readonly directory: string;
  readonly destination: ImageDestination;
  /** Defaults of its containers. @default none */
  readonly config?: ImageRuntimeConfig;
  /** Seconds since the epoch: when the image was made, and the latest time of a file. @default 0 */
  readonly epoch?: number;
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface RootImageRequest {
  /** Everything in it, in order. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** How the archive is changed on the way. */
  readonly rewrite: RewriteOptions;
  readonly destination: ImageDestination;
  readonly config: ImageRuntimeConfig;
  /** Seconds since the epoch: when the image was made. */
  readonly epoch: number;
  /** For the image's history. */
  readonly createdBy: string;
}

/**
 * Makes an image of one layer from the files of a directory: owners, modes and attributes are kept, times are not later
 * than the epoch. The same directory gives the same image.
 *
 * @returns the digest of its manifest @throws NotFound without such a directory
 */
export async function imageFromDirectory(request: DirectoryImageRequest): Promise<Digest> {
  const { directory, destination, config = {}, epoch = 0 } = request;
  await requireDirectory(directory);
  return imageFromRoot({
    archive: packDirectory(directory, { latestMtime: epoch }),
    rewrite: { latestMtime: epoch },
    destination,
    config,
    epoch,
    createdBy: "boxship image bootstrap --from",
  });
}

/** Makes an image of one layer from an archive of a root file system. @returns the digest of its manifest */
export async function imageFromRoot(request: RootImageRequest): Promise<Digest> {
  const { archive, rewrite, destination, config, epoch, createdBy } = request;
  await using scratch = await scratchFor(destination);
  const { store } = scratch;
  const built = await buildLayer({ archive, store, lease: store.lease(), rewrite, compression: "none" });
  const { os, architecture, variant } = hostPlatform();
  const created = new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
  const stored = await store.put(
    encodeImageConfig({
      created,
      architecture,
      os,
      ...(variant !== undefined && { variant }),
      config: { Env: [PATH], ...config },
      rootfs: { type: "layers", diff_ids: [built.diffId] },
      history: [{ created, created_by: createdBy }],
    }),
  );
  const descriptor = { mediaType: MediaType.OciConfig, ...stored };
  for (const blob of [built.descriptor, descriptor]) {
    await destination.put(blob, inScratch(store, blob.digest));
  }
  const mediaType = MediaType.OciManifest;
  const bytes = encodeInOrder({ kind: "manifest", mediaType, config: descriptor, layers: [built.descriptor] });
  const digest = digestOf(bytes);
  await destination.putManifest({ bytes, digest, mediaType }, true);
  await destination.commit();
  return digest;
}

async function requireDirectory(path: string): Promise<void> {
  const subject = { kind: "directory", name: path };
  const info = await stat(path).catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
    throw new NotFound(`there is no directory ${path}`, { cause: error, subject });
  });
  if (!info.isDirectory()) throw new InvalidArgument(`${path} is no directory`, { subject });
}
