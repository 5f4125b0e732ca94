import type { Json, JsonObject, KubeObject } from "@boxship/api";

/**
 * What controllers, the node agent and operators know of the API: objects in and out, whoever carries them. Failures are
 * the closed set's; `statusOf` of the api package gives the status that the server answered with.
 */

/** A resource as paths name it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, e.g. `deployments`. */
  readonly resource: string;
}

/** One object. */
export interface ObjectRef extends Resource {
  /** @default "": the object has none */
  readonly namespace?: string;
  readonly name: string;
}

/** Objects of one resource: in a namespace, or in all. */
export interface Collection extends Resource {
  /** @default "": all namespaces */
  readonly namespace?: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ListOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** At most so many; more are to be had by {@link ObjectList.continue}. */
  readonly limit?: number;
  readonly continue?: string;
  /** "0": whatever the server has at hand. @default the newest */
  readonly resourceVersion?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  /** What a watch goes on from. */
  readonly resourceVersion: string;
  /** Where the next page begins; undefined at the end. */
  readonly continue?: string;
}

export interface WatchOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Changes after this version are told. @default first what is there, then changes */
  readonly resourceVersion?: string;
  /** Tells now and then how far it is. @default false */
  readonly bookmarks?: boolean;
  /** Objects are frozen, and may be the very ones that others in this process are told of. @default false */
  readonly isShared?: boolean;
  /** Seconds after which the server ends it. @default the server's choice */
  readonly timeoutSeconds?: number;
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface WriteOptions extends CallOptions {
  /** Everything is checked and nothing kept. @default false */
  readonly dryRun?: boolean;
  /** Who owns the fields that are set. @default the client's user agent */
  readonly fieldManager?: string;
  /** `status`, `scale`, … @default the object itself */
  readonly subresource?: string;
}

export interface PatchOptions extends WriteOptions {
  /** Take fields over that others own; for `apply` only. @default false */
  readonly force?: boolean;
}

export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export interface ApiClient extends AsyncDisposable {
  get<T extends KubeObject = KubeObject>(ref: ObjectRef, options?: CallOptions): Promise<T>;
  list<T extends KubeObject = KubeObject>(collection: Collection, options?: ListOptions): Promise<ObjectList<T>>;
  /**
   * What happens in a collection. Ends when the server ends it or the loop is left.
   *
   * @throws FailedPrecondition with reason Expired when the version is no longer kept
   */
  watch<T extends KubeObject = KubeObject>(
    collection: Collection,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject = KubeObject>(collection: Collection, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces. @throws Conflict when the object's resourceVersion is not the newest */
  update<T extends KubeObject = KubeObject>(ref: ObjectRef, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject = KubeObject>(
    ref: ObjectRef,
    type: PatchType,
    patch: Json,
    options?: PatchOptions,
  ): Promise<T>;
  /** @returns the object as it was last, or the status of the deletion */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<JsonObject>;
  deleteCollection(collection: Collection, options?: DeleteOptions & ListOptions): Promise<void>;
  /** Any path, e.g. `/version`. */
  getRaw(path: string, options?: CallOptions): Promise<Json>;
  /** A path that is no resource's. */
  postRaw(path: string, body: Json, options?: CallOptions): Promise<Json>;
}
