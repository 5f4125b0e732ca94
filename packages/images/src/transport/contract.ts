import type { BlobOrigin, ContentStore, Descriptor, Digest } from "@boxship/oci";

/** A manifest or index as it is kept, with the digest of its bytes. */
export interface RawManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** What its keeper says it is; empty where nobody says it. */
  readonly mediaType: string;
}

/**
 * An image, or several under an index, at a place that can be read.
 *
 * Promises of every implementation: content has the digest that it was asked by, or the call throws; nothing that is
 * handed out is valid after disposal.
 */
export interface ImageSource extends AsyncDisposable {
  /** As the user would type it. */
  readonly name: string;
  /** Layers are not compressed, whatever their descriptors say. @default false */
  readonly plainLayers?: boolean;
  /** What the name stands for; with a digest, a manifest of its index. @throws NotFound */
  manifest(digest?: Digest): Promise<RawManifest>;
  /** A file that holds a blob, which may be fetched into `scratch` for it. @throws NotFound */
  blob(descriptor: Descriptor, scratch: ContentStore): Promise<LocalBlob>;
  /** The blob where it is, if that is a registry: for those who need no file of it. @default in files of this machine */
  origin?(descriptor: Descriptor): BlobOrigin;
}

/** A blob in a file of this machine. */
export interface LocalBlob {
  readonly path: string;
  /** It was verified, and may be moved away; nothing else does so before the scratch store is gone. */
  readonly owned: boolean;
}

/** A blob that a place may ask for, in either form. */
export interface BlobContent {
  readonly file: () => Promise<LocalBlob>;
  /** Absent when it is in a file already. */
  readonly origin?: BlobOrigin | undefined;
}

export interface DestinationScratch {
  /** On the same file system; it ends with the destination. */
  readonly directory: string;
  /** Files of it are moved to where they stay, and must be synced before. */
  readonly moved: boolean;
}

/** How layers are kept at a place. */
export type LayerForm = "as they are" | "compressed" | "plain";

/**
 * A place that takes images.
 *
 * The order of calls is blobs, manifests of platforms, then the top: the manifest or index that the name stands for.
 * Nothing that was there under the name before changes until {@link commit}.
 */
export interface ImageDestination extends AsyncDisposable {
  readonly name: string;
  /** Media types of manifests that it keeps. @default all */
  readonly accepts?: readonly string[];
  /** @default "as they are" */
  readonly layers?: LayerForm;
  /** Where files that are on their way are best kept. @default in the system's directory for temporary files */
  readonly scratch?: DestinationScratch;
  /**
   * Takes a blob, verified against its descriptor. Its content is only asked for when it is not there yet, and cannot be
   * brought there from next door. A file that is not owned must stay until {@link commit}.
   */
  put(descriptor: Descriptor, content: BlobContent): Promise<"copied" | "present">;
  /** @param top the one that the name stands for */
  putManifest(manifest: RawManifest, top: boolean): Promise<void>;
  commit(): Promise<void>;
}
