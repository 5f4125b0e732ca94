import type { Readable } from "node:stream";
import type { HealthConfig } from "./container/config.ts";

/**
 * What a request proves itself with. None at all leaves it to the log-ins of the daemon's own user, as the node's agents
 * need it; with nothing in it the registry is asked without a name.
 */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** One step of long work, shaped as Docker streams it. */
export interface Progress {
  /** Layer (short digest) or tag it is about. */
  readonly id?: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

export interface ImageView {
  /** Config digest. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly manifest: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly os: string;
  readonly osVersion?: string;
  /** Unpacked bytes of all layers. */
  readonly size: number;
  /** Bytes of layers that other images use too. */
  readonly sharedSize?: number;
  readonly diffIds: readonly string[];
  readonly config: ImageRunConfig;
  readonly history: readonly ImageHistoryEntry[];
  /** Containers made from it, running or not. */
  readonly containers: number;
  readonly lastTagged?: number;
  readonly graph: { readonly name: string; readonly data: Readonly<Record<string, string>> };
}

export interface ImageRunConfig {
  readonly user?: string;
  readonly exposedPorts?: readonly string[];
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly volumes?: readonly string[];
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly healthcheck?: HealthConfig;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
}

export interface ImageHistoryEntry {
  readonly id: string;
  readonly created?: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly size: number;
  readonly tags: readonly string[];
}

/** A plain or compressed archive, or an http(s) address of one. */
export type ImportSource =
  | { readonly kind: "archive"; readonly archive: AsyncIterable<Uint8Array> }
  | { readonly kind: "url"; readonly url: string };

export interface ImportOptions {
  /** `name[:tag]`. @default the image has no name */
  readonly reference?: string;
  /** For the image's history. @default "Imported from" and the source */
  readonly message?: string;
  /** Instructions that change the configuration: `CMD`, `ENV` … as in a Containerfile. @default [] */
  readonly changes?: readonly string[];
  /** What the files are for. @default this machine's */
  readonly platform?: string;
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** What happens while an archive is loaded, in order. */
export type LoadEvent =
  | { readonly kind: "progress"; readonly progress: Progress }
  /** A name stood for another image before. */
  | { readonly kind: "moved"; readonly name: string; readonly from: string }
  /** An image is there under a name, or has none. */
  | { readonly kind: "loaded"; readonly id: string; readonly name?: string };

/** What a push reports, in order, for each tag. */
export type PushEvent =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "pushed"; readonly tag: string; readonly digest: string; readonly size: number };

/** What a registry has under a name. */
export interface RegistryImage {
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly platforms: readonly {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
    readonly osVersion?: string;
    readonly osFeatures?: readonly string[];
  }[];
  /** The manifest or index as the registry keeps it. */
  readonly document: Uint8Array;
}

/** What a search of a registry found. */
export interface FoundImage {
  /** As one would pull it. */
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
  readonly automated: boolean;
}

export interface ImagesApi {
  list(): Promise<readonly ImageView[]>;
  get(ref: string): Promise<ImageView>;
  history(ref: string): Promise<readonly ImageHistoryEntry[]>;
  pull(
    reference: string,
    options: {
      readonly platform?: string;
      /** A name without a tag means every tag of the repository; the result is that of the last. @default `latest` */
      readonly allTags?: boolean;
      readonly credentials?: RegistryCredentials;
      readonly onProgress: (progress: Progress) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<{ readonly id: string; readonly digest: string; readonly upToDate: boolean }>;
  /**
   * Brings an image into its registry: a name with a tag, or a repository, of which all tags here are pushed.
   * `NotFound` when there is none.
   */
  push(
    reference: string,
    options: {
      readonly platform?: string;
      readonly credentials?: RegistryCredentials;
      readonly onEvent: (event: PushEvent) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<void>;
  /** Looks at an image in its registry without pulling it. */
  /** Repositories of a registry: `HOST/TERM`, or of the public one. `Unsupported` where a registry cannot tell. */
  search(
    term: string,
    options: {
      readonly limit: number;
      readonly credentials?: RegistryCredentials;
      readonly signal?: AbortSignal;
    },
  ): Promise<readonly FoundImage[]>;
  inspectRemote(
    reference: string,
    options?: { readonly credentials?: RegistryCredentials; readonly signal?: AbortSignal },
  ): Promise<RegistryImage>;
  /** `target` is a repository with an optional tag. */
  tag(ref: string, target: string): Promise<void>;
  /** What was untagged and deleted, in order, as Docker reports it. `Conflict` when a container needs it. */
  remove(
    ref: string,
    options?: { readonly force?: boolean; readonly noPrune?: boolean },
  ): Promise<readonly ({ readonly untagged: string } | { readonly deleted: string })[]>;
  prune(options: { readonly dangling: boolean; readonly filter?: (image: ImageView) => boolean }): Promise<{
    readonly removed: readonly ({ readonly untagged: string } | { readonly deleted: string })[];
    readonly reclaimed: number;
  }>;
  /**
   * Images as one archive, as `docker save` writes it. Names with a tag, names alone (all their tags), or ids; all of
   * them are there, or it throws.
   */
  save(refs: readonly string[], options?: { readonly platform?: string }): Promise<Readable>;
  /** Takes the images of an archive in; all of them or none. Names move from other images. */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: {
      readonly platform?: string;
      /** Throws for a name that no image may be loaded under; then none of the archive is. */
      readonly accept?: (name: string) => void;
      readonly onEvent: (event: LoadEvent) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<void>;
  /** Makes an image of one layer from an archive of files. */
  import(source: ImportSource, options: ImportOptions): Promise<{ readonly id: string }>;
  /** Makes a base image from the distribution's packages or from busybox-static. */
  bootstrap(
    kind: "debian" | "busybox",
    onProgress: (progress: Progress) => void,
    signal?: AbortSignal,
  ): Promise<{ readonly id: string; readonly tags: readonly string[] }>;
}
