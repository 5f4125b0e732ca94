import type { ImageRuntimeConfig } from "../image-config.ts";
import type { RewriteOptions } from "../layer/rewrite-tar.ts";

/** A root file system that is to become an image of one layer. */
export interface RootFilesystem {
  /** Time of the image, in seconds since the epoch; absent when it is now. */
  readonly epoch?: number;
  readonly archive: AsyncIterable<Uint8Array>;
  readonly rewrite: RewriteOptions;
  readonly config: ImageRuntimeConfig;
  /** Names of the image, short ones, the most exact first. */
  readonly tags: readonly string[];
}
