import type { ContentStore } from "@boxship/oci";

/**
 * Where a registry keeps bytes. The promises are those of {@link ContentStore}, of which it is the part that needs no
 * file: so that a directory, the engine's own content store and an object store can all be one. One suite,
 * `testing/blob-store-suite.ts`, holds for all of them.
 */
export interface BlobStore
  extends Pick<ContentStore, "stat" | "open" | "read" | "put" | "ingest" | "list" | "delete" | "lease" | "sweep">,
    AsyncDisposable {}
