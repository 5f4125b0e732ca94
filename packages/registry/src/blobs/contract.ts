import type { ContentStore, Ingest } from "@boxship/oci";

/**
 * Where a registry keeps bytes. The promises are those of {@link ContentStore}, of which it is the part that needs no
 * file: so that a directory, the engine's own content store and an object store can all be one. One suite,
 * `testing/blob-store-suite.ts`, holds for all of them.
 */
export interface BlobStore
  extends Pick<ContentStore, "stat" | "open" | "read" | "put" | "list" | "delete" | "lease" | "sweep">,
    AsyncDisposable {
  /** As {@link ContentStore.ingest}: what is written under a key goes on where it stopped, after a new start too. */
  ingest(request: Parameters<ContentStore["ingest"]>[0]): Promise<BlobIngest>;
}

/** A blob that is being written; see {@link Ingest}. */
export type BlobIngest = Pick<Ingest, "offset" | "write" | "commit" | "abort" | typeof Symbol.asyncDispose>;
