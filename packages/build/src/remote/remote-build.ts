import type { Attestations, BuildWarning, CacheExportOptions, CallResult } from "../contract.ts";

/**
 * A build as the command line asks for it: `POST /boxship/build`. The body begins with the length of a JSON text (four
 * bytes, big endian) and the text, a {@link RemoteBuild}; then comes a tar with the files: `main/…`, and `named/NAME/…` for
 * each named context that is a directory, `cache/NUMBER/…` for each cache that is one. The answer is JSON texts, one to a line: {@link RemoteMessage}.
 */
export interface RemoteBuild {
  /** Base64. */
  readonly file: { readonly name: string; readonly bytes: string; readonly ignore?: string } | undefined;
  /** Path of the Containerfile in a context that is elsewhere. */
  readonly filePath?: string;
  readonly context: RemoteContext;
  readonly contexts?: Readonly<Record<string, RemoteContext>>;
  /** A question about the Containerfile, instead of a build: `lint`, `outline`, `targets`, `subrequests.describe`. */
  readonly call?: string;
  readonly target?: string;
  /** Null: named without a value. */
  readonly args?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly indexAnnotations?: Readonly<Record<string, string>>;
  readonly platforms?: readonly string[];
  readonly noCache?: boolean | readonly string[];
  readonly pull?: boolean;
  readonly network?: string;
  readonly extraHosts?: readonly string[];
  readonly shmSize?: number;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly cgroupParent?: string;
  readonly resources?: Readonly<Record<string, string | number>>;
  readonly entitlements?: readonly ("network.host" | "security.insecure")[];
  /** Ids of agents that the client has. */
  readonly ssh?: readonly string[];
  /** Base64 by id. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly credentials?: Readonly<
    Record<string, { readonly username?: string; readonly password?: string; readonly identityToken?: string }>
  >;
  readonly outputs?: readonly RemoteOutput[];
  readonly compression?: "none" | "gzip" | "zstd";
  readonly compressionLevel?: number;
  readonly forceCompression?: boolean;
  readonly mediaTypes?: "oci" | "docker";
  readonly attestations?: Attestations;
  readonly cacheFrom?: readonly RemoteCacheImport[];
  readonly cacheTo?: readonly RemoteCacheExport[];
  /** Keep the file system of a command that failed, as an image. */
  readonly keepFailed?: boolean;
  readonly squash?: "new" | "all";
  /** Seconds since the epoch. */
  readonly sourceDateEpoch?: number;
}

export type RemoteContext =
  | { readonly kind: "files" | "empty" }
  /** An archive, in whatever compression, in front of the tar: pieces, each after its length (four bytes, big endian); 0 ends it. */
  | { readonly kind: "archive" }
  | { readonly kind: "git" | "http"; readonly url: string }
  | { readonly kind: "image"; readonly reference: string };

export type RemoteOutput =
  | { readonly kind: "image"; readonly names: readonly string[]; readonly push?: boolean }
  | { readonly kind: "oci" | "docker"; readonly names: readonly string[] }
  | { readonly kind: "tar" }
  | { readonly kind: "none" };

export type RemoteCacheImport =
  | { readonly kind: "registry"; readonly reference: string }
  /** An OCI layout that is sent; `name` is for messages. */
  | { readonly kind: "files"; readonly name: string; readonly digest?: string; readonly tag?: string };

export type RemoteCacheExport =
  | { readonly kind: "inline" }
  | { readonly kind: "registry"; readonly reference: string; readonly options?: CacheExportOptions }
  /** Comes back blob by blob; `have` are digests of those that are there. */
  | { readonly kind: "files"; readonly have: readonly string[]; readonly options?: CacheExportOptions };

export type RemoteMessage =
  /** A `ProgressEvent`; the data of logs is base64. */
  | { readonly event: unknown }
  /** A connection to this agent is wanted: `POST /boxship/build-streams/STREAM`, which becomes one. */
  | { readonly agent: string; readonly stream: string }
  /** A piece of the archive that an output makes, base64. */
  | { readonly output: number; readonly data: string }
  /** A piece of a blob of a cache that is exported, base64. Pieces of a blob come one after the other. */
  | { readonly cache: number; readonly blob: string; readonly data: string }
  /** The cache is complete. */
  | {
      readonly cache: number;
      readonly manifest: { readonly mediaType: string; readonly digest: string; readonly size: number };
    }
  | {
      readonly result: {
        readonly imageId?: string;
        readonly digest?: string;
        readonly metadata: Readonly<Record<string, unknown>>;
        readonly warnings: readonly BuildWarning[];
      };
    }
  /** The answer to a question. */
  | { readonly call: CallResult }
  | { readonly error: { readonly message: string; readonly remedy?: string; readonly failure?: unknown } };
