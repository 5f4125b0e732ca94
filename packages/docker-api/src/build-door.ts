import type { Duplex } from "node:stream";
/** The builder as this API sees it; the `build` package has it. */
export interface BuildDoor {
  /**
   * Serves `POST /build` of the classic builder: calls `write` with each object of the answer. Throws only while nothing
   * was written.
   */
  build(
    request: ClassicBuildRequest,
    write: (message: unknown) => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<void>;
  prune(
    options: PruneBuildCache,
  ): Promise<{ readonly removed: readonly BuildCacheRecord[]; readonly reclaimed: number }>;
  /** Ends the build of this id; none is no error. */
  cancel(buildId: string): void;
  list(): Promise<readonly BuildCacheRecord[]>;
  readonly mounts: CacheMountDoor;
  /** Serves `POST /boxship/build`, whose body and messages are the builder's own. Throws only while nothing was written. */
  remote(
    body: AsyncIterable<Uint8Array>,
    write: (message: unknown) => Promise<void> | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Serves `POST /boxship/build-streams/{token}`: who takes the connection; undefined for nobody. */
  stream(token: string): ((stream: Duplex) => void) | undefined;
}

/** Directories that outlive builds, by their ids. */
export interface CacheMountDoor {
  list(): Promise<
    readonly {
      readonly id: string;
      readonly size: number;
      readonly inUse: boolean;
      readonly created: number;
      readonly lastUsed: number;
      readonly uses: number;
    }[]
  >;
  /** As a plain tar. */
  export(id: string): AsyncIterable<Uint8Array>;
  import(id: string, archive: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
}

export interface ClassicBuildRequest {
  readonly query: URLSearchParams;
  readonly registryConfig?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface BuildCacheRecord {
  readonly id: string;
  readonly kind: string;
  readonly parents: readonly string[];
  readonly description: string;
  readonly inUse: boolean;
  readonly shared: boolean;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

export interface PruneBuildCache {
  readonly all: boolean;
  /** Keep the most recently used up to this many bytes. */
  readonly keepBytes: number;
  /** Only what was not used for this many milliseconds. */
  readonly olderThan: number;
  readonly matches: (record: BuildCacheRecord) => boolean;
}
