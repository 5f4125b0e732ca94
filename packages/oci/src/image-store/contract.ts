import type { Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import type { ImageConfig } from "../image-config.ts";
import type { ImageManifest } from "../manifest.ts";
import type { Reference } from "../reference.ts";

/**
 * The images of a host: names, what they stand for, and what must be kept for that. The content itself is in the content
 * store.
 *
 * Promises:
 * - What a call has changed is durable once it resolved, and after a crash at any moment every change is there whole or
 *   not at all. A name never stands for content that is missing.
 * - Reading is synchronous and sees what was made durable last.
 * - One process at a time owns a directory; calls at the same time are written together.
 */
export interface ImageStore extends AsyncDisposable {
  /**
   * Records an image whose content is in the content store already, and gives it names; names that stood for another
   * image move. Adding what is there only adds the names.
   *
   * @throws FailedPrecondition if a part of its content is missing
   */
  add(image: NewImage): Promise<ImageRecord>;

  /** Writes configuration and manifest of an image made of layers that are in the content store, and adds it. */
  addFromLayers(image: LayeredImage): Promise<ImageRecord>;

  /** By the digest of its configuration. */
  get(id: Digest): ImageRecord | undefined;

  /** All images, the newest first; those without a tag are dangling. */
  list(): readonly ImageRecord[];

  /**
   * The image that a user means: a name with tag or digest (`:latest` is added), an id, or the beginning of an id.
   *
   * @throws NotFound (`No such image: …`), InvalidArgument for malformed names and ids that are not unique
   */
  resolve(text: string): ImageRecord;

  /** The image a reference stands for. A tag is ignored if there is a digest too. */
  find(reference: Reference): ImageRecord | undefined;

  /** Gives an image a further name, taking it from the image that has it. @throws NotFound */
  tag(id: Digest, reference: Reference): Promise<ImageRecord>;

  /** Takes a name, with tag or digest, away; the image stays. False if there was no such name. */
  untag(reference: Reference): Promise<boolean>;

  /** Forgets an image with all its names; its content is left to the sweep. False if it was not there. */
  remove(id: Digest): Promise<boolean>;

  /** Notes that the image was used now. Written with the next change, at the latest when the store is closed. */
  touch(id: Digest): void;

  /** Every digest that an image needs: to be asked by the content store's sweep. */
  references(): ReadonlySet<Digest>;
}

export interface ImageRecord {
  /** Digest of the configuration. */
  readonly id: Digest;
  /** As Docker prints them: `nginx:1.27`. Sorted. */
  readonly repoTags: readonly string[];
  /** As Docker prints them: `nginx@sha256:…`. Sorted. */
  readonly repoDigests: readonly string[];
  /** Full references with tag. Sorted as {@link repoTags}. */
  readonly tags: readonly Reference[];
  readonly manifest: Descriptor;
  /** Indexes through which the manifest was found, and what else was kept with it. */
  readonly indexes: readonly Descriptor[];
  readonly layers: ImageManifest["layers"];
  readonly config: ImageConfig;
  /** Bytes of the files in all layers. */
  readonly size: number;
  /** Bytes of the content as it is kept: manifest, configuration, compressed layers. */
  readonly contentSize: number;
  /** When it came to this host, in milliseconds since the epoch. */
  readonly added: number;
  /** When a container was last made from it; undefined if never. */
  readonly lastUsed: number | undefined;
}

export interface NewImage {
  readonly manifest: Descriptor;
  /** Indexes through which the manifest was found. @default [] */
  readonly indexes?: readonly Descriptor[];
  /** Bytes of the files in all layers. */
  readonly size: number;
  /** Names with a tag. @default [] */
  readonly tags?: readonly Reference[];
  /** Names with a digest: what a registry calls it. @default [] */
  readonly digests?: readonly Reference[];
  /** Another manifest of the same image, which is forgotten; its names move here. @default none */
  readonly replaces?: Digest;
}

export interface LayeredImage {
  /** `rootfs` is made from the layers. */
  readonly config: Omit<ImageConfig, "rootfs">;
  /** Bottom first. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: Digest }[];
  /** Bytes of the files in all layers. */
  readonly size: number;
  /** @default [] */
  readonly tags?: readonly Reference[];
  /** A lease that already protects the layers. @default they are leased from here on */
  readonly lease?: Lease;
}
