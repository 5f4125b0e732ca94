import type { Duplex } from "node:stream";
import { type ErrorDetails, FailedPrecondition } from "@boxship/base";
import type { RegistryCredentials } from "@boxship/engine";
import type { Descriptor, Digest } from "@boxship/oci";

/**
 * The builder as its doors see it: the classic `POST /build`, BuildKit's services, and users of the library.
 *
 * Promises of {@link Solver.build}:
 * - It resolves when everything that was asked for is durable, and rejects with an error of the closed set. A failing
 *   instruction is a `FailedPrecondition` that names file, line and remedy ({@link BuildError}).
 * - Aborting the signal, or ending the process at any moment, leaves no process, mount, network or snapshot behind;
 *   steps that had been finished stay in the cache.
 * - What a provider gives (secrets, agents, credentials) never reaches a layer, the history, the cache or a log.
 * - Providers and streams of the request are used only until the call settles; the caller owns them.
 */
export interface Solver {
  build(request: BuildRequest, progress: ReportProgress, signal?: AbortSignal): Promise<BuildResult>;
  /**
   * Answers a question about the Containerfile; nothing is built. `lint` tells of mistakes in the file in its answer.
   *
   * @param call `lint`, `outline`, `targets` or `subrequests.describe`
   * @throws Unsupported for others
   */
  call(request: BuildRequest, call: string, signal?: AbortSignal): Promise<CallResult>;
  readonly cache: BuildCache;
}

// ── What is built ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface BuildRequest {
  readonly file: FileSource;
  /** What `COPY`, `ADD` and bind mounts without `from` read. */
  readonly context: ContextSource;
  /** Named contexts: they go before stages and images of the same name in `FROM`, `COPY --from` and `from=`. @default {} */
  readonly contexts?: Readonly<Record<string, ContextSource>>;
  /** The stage to build, by name or number. @default the last */
  readonly target?: string;
  /** `--build-arg`; a value of undefined is one that was named without a value, and is not set. @default {} */
  readonly args?: Readonly<Record<string, string | undefined>>;
  /** Further labels of the image. @default {} */
  readonly labels?: Readonly<Record<string, string>>;
  /** `os/architecture[/variant]`. More than one makes an index. @default [the host's] */
  readonly platforms?: readonly string[];
  /** Ignore the cache: everywhere, or in the stages of these names. @default false */
  readonly noCache?: boolean | readonly string[];
  /** Ask the registry for base images although they are here. @default false */
  readonly pull?: boolean;
  /** Network of `RUN` without `--network`. @default "default" */
  readonly network?: string;
  /** `name:address`, as `--add-host` has them. @default [] */
  readonly extraHosts?: readonly string[];
  /** Bytes of /dev/shm. @default 64 MiB */
  readonly shmSize?: number;
  /** @default [] */
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** @default the instance's */
  readonly cgroupParent?: string;
  /** Limits of each `RUN`. @default none */
  readonly resources?: BuildResources;
  /** What `--security=insecure` and `--network=host` need. @default network.host alone */
  readonly entitlements?: readonly ("network.host" | "security.insecure")[];
  /** The value of a secret; undefined when there is none of that id. @default none */
  readonly secret?: (id: string, signal: AbortSignal) => Promise<Buffer | undefined>;
  /** A new connection to an agent; undefined when there is none of that id (`default` for a plain `--mount=type=ssh`). */
  readonly ssh?: (id: string, signal: AbortSignal) => Promise<Duplex | undefined>;
  /** For a registry's host (`docker.io` is Docker's). @default those on the host */
  readonly credentials?: (host: string) => Promise<RegistryCredentials | undefined>;
  /** @default [{ kind: "image", names: [] }] */
  readonly outputs?: readonly Output[];
  /** @default [] */
  readonly cacheFrom?: readonly CacheImport[];
  /** @default [] */
  readonly cacheTo?: readonly CacheExport[];
  /** Seconds since the epoch: every time in the result is at most this one. @default the build argument of that name */
  readonly sourceDateEpoch?: number;
  /** @default {} */
  readonly attestations?: Attestations;
  /** OCI annotations of each manifest. @default {} */
  readonly annotations?: Readonly<Record<string, string>>;
  /** OCI annotations of the index; only of what becomes one. @default {} */
  readonly indexAnnotations?: Readonly<Record<string, string>>;
  /** How history is worded: `/bin/sh -c #(nop) CMD …`, or `CMD … # buildkit`. @default "classic" */
  readonly history?: "classic" | "buildkit";
  /** How layers are compressed. Plain ones are compressed when they are pushed. @default "none" */
  readonly compression?: "none" | "gzip" | "zstd";
  /** 0 to 9 for gzip, 1 to 22 for zstd. @default a quick one */
  readonly compressionLevel?: number;
  /** Change layers of the base that are compressed in another way, too. @default false */
  readonly forceCompression?: boolean;
  /** Whose names manifest, configuration and layers have; annotations and zstd need OCI's. @default "oci" */
  readonly mediaTypes?: "oci" | "docker";
  /** Keep the file system that a failing command leaves, as an image without a name. @default false */
  readonly keepFailed?: boolean;
  /**
   * One layer for all that the last stage adds to what it begins with (`new`), or for everything (`all`).
   * @default each step that changes files has its own
   */
  readonly squash?: "new" | "all";
}

/** Where the Containerfile is. */
export type FileSource =
  | {
      readonly kind: "bytes";
      readonly bytes: Uint8Array;
      /** For messages, and for the name of the ignore file: `Containerfile`. */
      readonly name: string;
      /** The ignore file that goes with it (`NAME.dockerignore`). @default the one in the context */
      readonly ignore?: Uint8Array;
    }
  /** A path in the main context. @default Dockerfile, else dockerfile, else Containerfile */
  | { readonly kind: "context"; readonly path?: string };

/** Files to build from. */
export type ContextSource =
  /** A directory on this host, read where it is. Ignore files in it are honoured. */
  | { readonly kind: "directory"; readonly path: string }
  /** An archive: plain, gzip, bzip2, xz or zstd. Ignore files in it are honoured. */
  | { readonly kind: "tar"; readonly stream: AsyncIterable<Uint8Array> }
  /** `https://host/repository.git#reference:directory` and the other forms that `docker build` takes. */
  | { readonly kind: "git"; readonly url: string; readonly keepGitDirectory?: boolean }
  /** A Containerfile, or an archive with one. */
  | { readonly kind: "http"; readonly url: string }
  /** The files of an image, pulled when it is not here. */
  | { readonly kind: "image"; readonly reference: string }
  /** An image in an OCI layout; `digest` of its manifest or index. @default the layout's own */
  | { readonly kind: "layout"; readonly name: string; readonly store: CacheStore; readonly digest?: string }
  | { readonly kind: "empty" }
  /** Files that someone else brings, once it is known which ones are needed. */
  | { readonly kind: "provider"; readonly open: (need: ContextNeed, signal: AbortSignal) => Promise<ContextTree> };

export interface ContextNeed {
  /** Patterns of an ignore file: what they match need not be there. */
  readonly exclude: readonly string[];
  /** Paths and patterns that are read; undefined means all. */
  readonly include: readonly string[] | undefined;
}

/** A directory with a context's files; disposed by the solver when it needs them no more. */
export interface ContextTree extends AsyncDisposable {
  readonly path: string;
}

export interface BuildResources {
  /** Bytes. */
  readonly memory?: number;
  /** Bytes, memory and swap; -1 is unlimited. */
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  /** Microseconds. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
}

export interface Attestations {
  /** @default none */
  readonly provenance?: {
    /** `max` adds arguments, labels and the Containerfile. */
    readonly mode: "min" | "max";
    readonly builderId?: string;
    /** Of the predicate of SLSA. @default "v0.2" */
    readonly version?: "v0.2" | "v1";
    /** Only where the result leaves this machine as an index: archives in OCI layout, and pushes. @default false */
    readonly inlineOnly?: boolean;
  };
  /** A bill of materials of each image, in SPDX. @default false */
  readonly sbom?: boolean;
}

/**
 * Says what is in an image, as an SPDX document. It is handed to the builder, which knows nothing of packages.
 *
 * @param image its layers, the bottom first, with the files that hold their blobs; `created` to the second, RFC 3339
 */
export type DescribeImage = (
  image: {
    readonly name: string;
    /** Of its manifest. */
    readonly digest: string;
    readonly created: string;
    readonly layers: readonly { readonly digest: string; readonly path: string }[];
  },
  signal: AbortSignal,
) => Promise<object>;

// ── What comes out ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What is done with the result. */
export type Output =
  /** Into the engine's store, under these names; `push` sends it to the names' registries, too. */
  | { readonly kind: "image"; readonly names: readonly string[]; readonly push?: boolean; readonly store?: boolean }
  /** An archive in OCI layout. */
  | { readonly kind: "oci"; readonly names: readonly string[]; readonly write: ByteSink }
  /** The archive of `docker save`. */
  | { readonly kind: "docker"; readonly names: readonly string[]; readonly write: ByteSink }
  /** The files of the last stage as an archive. */
  | { readonly kind: "tar"; readonly write: ByteSink }
  /** The files of the last stage. The directory is there until the promise settles, and must not be changed. */
  | {
      readonly kind: "local";
      readonly write: (tree: { readonly path: string; readonly platform?: string }) => Promise<void>;
    }
  /** Nothing; the steps are in the cache afterwards. */
  | { readonly kind: "none" };

/** Takes a stream whole, or throws. */
export type ByteSink = (bytes: AsyncIterable<Uint8Array>) => Promise<void>;

/** A cache that cannot be had, or is corrupt, makes a warning, and the build goes on. */
export type CacheImport =
  /** A cache that was exported there, or an image that was built with an inline one. */
  | { readonly kind: "registry"; readonly reference: string }
  /** @param name for messages */
  | { readonly kind: "store"; readonly name: string; readonly store: CacheStore }
  /** An image that is here, as Docker's classic builder takes it: steps are compared with its history. */
  | { readonly kind: "image"; readonly reference: string };

export type CacheExport =
  /** In the image itself; its name is then a registry import. Only steps of the last stage have their layers there. */
  | { readonly kind: "inline" }
  | { readonly kind: "registry"; readonly reference: string; readonly options?: CacheExportOptions }
  | { readonly kind: "store"; readonly sink: CacheSink; readonly options?: CacheExportOptions };

export interface CacheExportOptions {
  /** Layers of the result's own steps, or those of every stage. @default "min" */
  readonly mode?: "min" | "max";
  /** Of layers that are plain. @default "gzip" */
  readonly compression?: "none" | "gzip" | "zstd" | undefined;
  readonly level?: number | undefined;
  /** Of layers that are compressed in another way, too. @default false */
  readonly force?: boolean;
  /** A manifest, which every registry takes, or an index of layers, as BuildKit made them before 0.21. @default true */
  readonly imageManifest?: boolean;
  /** @default true */
  readonly ociMediaTypes?: boolean;
  /** A cache that cannot be written makes a warning only. @default false */
  readonly ignoreError?: boolean;
}

/** A cache somewhere else, blob by blob, that can be read. */
export interface CacheStore {
  /** Digest of the cache's manifest; undefined when there is none. */
  readonly root: () => Promise<string | undefined>;
  /** @throws NotFound */
  readonly read: (digest: Digest, signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

/** A place that a cache is written to, blob by blob. */
export interface CacheSink {
  readonly has: (blob: Descriptor, signal: AbortSignal) => Promise<boolean>;
  readonly write: (blob: Descriptor, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<void>;
  /** All blobs are there; the manifest is what the cache is found by. */
  readonly finish: (manifest: Descriptor, signal: AbortSignal) => Promise<void>;
}

export interface BuildResult {
  /** Of one platform: the digest of its configuration. Undefined when no image was asked for. */
  readonly imageId?: string;
  /** The manifest, or the index of several. */
  readonly descriptor?: Descriptor;
  /** As `--metadata-file` has them: `containerimage.digest`, `containerimage.config.digest`, `image.name` … */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly warnings: readonly BuildWarning[];
}

/** The answer to a question about a Containerfile, in the forms that BuildKit's clients know. */
export interface CallResult {
  readonly json: string;
  readonly text: string;
  /** 1: something was found. */
  readonly status: 0 | 1;
}

// ── Progress ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * What happens, in the order in which it happens. Every `vertex` in an event was announced by a `vertex` event before.
 * Times are milliseconds since the epoch.
 */
export type ProgressEvent =
  /** A step is known; nothing has happened yet. */
  | { readonly kind: "vertex"; readonly vertex: Vertex }
  | { readonly kind: "started"; readonly vertex: string; readonly time: number }
  /** @param cached it was found, not made */
  | {
      readonly kind: "completed";
      readonly vertex: string;
      readonly time: number;
      readonly cached: boolean;
      /** What the stage would be as an image at this point; only for steps of a stage. */
      readonly imageId?: string;
    }
  | { readonly kind: "failed"; readonly vertex: string; readonly time: number; readonly error: string }
  | {
      readonly kind: "log";
      readonly vertex: string;
      readonly time: number;
      readonly stream: "stdout" | "stderr";
      readonly data: Buffer;
    }
  /** How far a part of a step is, e.g. one layer of a pull. The last one of an `id` has `completed`. */
  | {
      readonly kind: "status";
      readonly vertex: string;
      readonly id: string;
      readonly name: string;
      readonly current: number;
      /** 0 when unknown. */
      readonly total: number;
      readonly time: number;
      readonly started: number;
      readonly completed?: number;
    }
  /** `vertex` is empty when it is about the Containerfile. */
  | { readonly kind: "warning"; readonly vertex: string; readonly warning: BuildWarning };

/** Hears what happens. A promise for a log slows the command down whose output it is, until it resolves. */
export type ReportProgress = (event: ProgressEvent) => Promise<void> | void;

/** One step as the user sees it. */
export interface Vertex {
  /** `sha256:…`, unique in the build. */
  readonly digest: string;
  /** Of the steps that it waits for. */
  readonly inputs: readonly string[];
  /** `[build 2/5] RUN make`, `[internal] load build context`. */
  readonly name: string;
  /** Where it stands in the file; absent for internal steps. */
  readonly step?: VertexStep;
  /** Groups the vertices of one platform of several. */
  readonly platform?: string;
  /** The vertex of the `FROM` that it was triggered by. */
  readonly trigger?: string;
  /** It changes only the image's configuration, which BuildKit does not show. @default false */
  readonly metadata?: boolean;
}

export interface VertexStep {
  /** Name of the stage, or its number. */
  readonly stage: string;
  /** Its place among all steps that are built, from 1, in the order of the file. */
  readonly number: number;
  readonly total: number;
  /** The instruction as it is written, continuation lines joined: `RUN make`. */
  readonly text: string;
  /** First and last line in the file, from 1. */
  readonly lines: readonly [first: number, last: number];
  /** For `RUN`: the container in which it is run. */
  readonly containerId?: string;
}

export interface BuildWarning {
  /** The check's name: `FromAsCasing`. */
  readonly rule: string;
  readonly message: string;
  /** What the rule is about. */
  readonly detail?: string;
  /** The page that explains the rule. */
  readonly url?: string;
  readonly file?: string;
  readonly lines?: readonly [first: number, last: number];
  /** Those lines, with some around them. */
  readonly excerpt?: BuildFailure["excerpt"];
}

/** What a failing step has to tell, beside its message. */
export interface BuildFailure {
  readonly file: string;
  readonly lines: readonly [first: number, last: number];
  /** The source, some lines around the failing ones; `line` from 1. */
  readonly excerpt: readonly { readonly line: number; readonly text: string; readonly failed: boolean }[];
  readonly instruction: string;
  /** Of a `RUN`: its exit code and the end of its output. */
  readonly exitCode?: number;
  readonly output?: string;
  /** Whether a shell in what the command left can be had here: not from an engine that runs no containers. */
  readonly shell?: boolean;
  /** What the command left, where {@link BuildRequest.keepFailed} asks for it. */
  readonly imageId?: string;
  /** The vertex that failed. */
  readonly vertex?: string;
}

/** An instruction failed. The message is what Docker's builder would say of it. */
export class BuildError extends FailedPrecondition {
  readonly failure: BuildFailure;

  constructor(message: string, failure: BuildFailure, details: ErrorDetails = {}) {
    super(message, details);
    this.failure = failure;
  }
}

// ── The cache ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface BuildCache {
  list(): Promise<readonly CacheRecord[]>;
  /** Removes what is not in use, oldest use first. */
  prune(options?: PruneCacheOptions): Promise<{ readonly removed: readonly CacheRecord[]; readonly reclaimed: number }>;
}

/** Directories of `RUN --mount=type=cache`, by the ids that files give them; copies of private ones are not shown. */
export interface CacheMountStore {
  list(): Promise<readonly CacheMount[]>;
  /** What one holds, as a plain tar. @throws NotFound */
  export(id: string): AsyncIterable<Uint8Array>;
  /** Puts an archive, plain or compressed, in the place of what one holds. @throws Conflict while a command has it */
  import(id: string, archive: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
}

export interface CacheMount {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly inUse: boolean;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

export interface CacheRecord {
  readonly id: string;
  readonly kind: "regular" | "source.local" | "source.git.checkout" | "source.http" | "exec.cachemount";
  readonly parents: readonly string[];
  readonly description: string;
  readonly inUse: boolean;
  /** An image needs the same layer, so that removing the record frees nothing. */
  readonly shared: boolean;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

export interface PruneCacheOptions {
  /** Remove what images share, too, and internal records. @default false */
  readonly all?: boolean;
  /** Keep the most recently used up to this many bytes. @default 0 */
  readonly keepBytes?: number;
  /** Only what was not used for this many milliseconds. @default 0 */
  readonly olderThan?: number;
  readonly matches?: (record: CacheRecord) => boolean;
}
