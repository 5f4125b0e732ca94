import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Reference } from "../reference.ts";

/** Docker's own words for what happens to a layer. */
export type LayerStatus =
  | "Pulling fs layer"
  | "Waiting"
  | "Downloading"
  | "Verifying Checksum"
  | "Download complete"
  | "Extracting"
  | "Pull complete"
  | "Already exists";

export interface LayerEvent {
  readonly kind: "layer";
  /** Of the blob. */
  readonly digest: Digest;
  readonly status: LayerStatus;
  /** Bytes so far: of the blob while downloading, of the archive in it while extracting. */
  readonly current?: number;
  /** Bytes of the blob, while downloading. */
  readonly total?: number;
}

/** What a pull reports, in order. */
export type PullEvent =
  /** It is known what to pull: Docker's `latest: Pulling from library/nginx`. */
  | { readonly kind: "pulling"; readonly reference: Reference }
  | LayerEvent
  /** The image is for another platform than this machine, and was not asked for by platform. */
  | { readonly kind: "platform-mismatch"; readonly wanted: Platform; readonly actual: Platform }
  /** What the reference stands for: Docker's `Digest: sha256:…`. */
  | { readonly kind: "digest"; readonly digest: Digest };

export type PullListener = (event: PullEvent) => void;
