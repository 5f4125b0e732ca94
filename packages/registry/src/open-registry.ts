import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { type Clock, FailedPrecondition, type Logger, systemClock } from "@boxship/base";
import { tryLockFile } from "@boxship/kernel";
import { type Digest, openContentStore } from "@boxship/oci";
import { openSqliteStore } from "@boxship/store";
import { type Access, openAccess } from "./access/contract.ts";
import type { BlobStore } from "./blobs/contract.ts";
import { registryHandler } from "./http/registry-handler.ts";
import { type Collected, type CollectOptions, collectGarbage, type Swept } from "./store/collect-garbage.ts";
import type { ImageSource, RegistryListener } from "./store/image-source.ts";
import { RepositoryStore } from "./store/repository-store.ts";
import { Uploads } from "./store/uploads.ts";

export interface RegistryOptions {
  /** Directory of everything that it keeps; made if it is missing. */
  readonly root: string;
  /** Where blobs are. @default a content store of its own, below the root */
  readonly content?: BlobStore;
  /** What shares the blobs. @default they are the registry's alone */
  readonly shared?: SharedContent;
  /** @default everybody may do everything */
  readonly access?: Access;
  /** Whether blobs and manifests can be deleted. @default true */
  readonly deletion?: boolean;
  /** Tags, once pushed, stay what they are. @default false */
  readonly immutableTags?: boolean;
  /** PEM texts; then it speaks TLS. @default plain HTTP */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** Others who need what is in the store of blobs. */
export interface SharedContent {
  /** Their images, which are served, too. */
  readonly images: ImageSource;
  readonly listener: RegistryListener;
  /** Removes blobs that neither they nor the registry ({@link Registry.kept}) need. */
  sweep(): Promise<Swept>;
}

/** A registry of images and other artifacts: the OCI distribution specification 1.1. */
export interface Registry extends AsyncDisposable {
  /** Not listening yet. Closing it is up to who made it listen, before the registry is disposed. */
  readonly server: Server;
  /** Removes what nothing needs, while it serves. */
  collectGarbage(options?: Pick<CollectOptions, "grace" | "untagged" | "dryRun">): Promise<Collected>;
  /** Digests that its repositories need: what a sweep of shared content leaves alone. */
  kept(): Promise<ReadonlySet<Digest>>;
  /** Whether a digest came to be needed since {@link kept} was asked. */
  isNew(digest: Digest): boolean;
}

/** @throws FailedPrecondition where another process has the same root open */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { root, access = openAccess, deletion = true, immutableTags = false, clock = systemClock, logger } = options;
  await using stack = new AsyncDisposableStack();
  await mkdir(root, { recursive: true, mode: 0o700 });
  const lock = tryLockFile(join(root, "lock"));
  if (lock === undefined) {
    throw new FailedPrecondition(`another registry is using ${root}`, {
      subject: { kind: "registry", name: root },
      remedy: "stop it first, or choose another root",
    });
  }
  stack.use(lock);
  const content = options.content ?? stack.use(await openContentStore({ root: join(root, "content"), clock }));
  const index = stack.use(await openSqliteStore({ path: join(root, "index.db"), clock }));
  const { shared } = options;
  const repositories = new RepositoryStore({
    index,
    content,
    immutableTags,
    clock,
    ...(shared !== undefined && { source: shared.images }),
  });
  const uploads = stack.use(new Uploads({ index, repositories, clock }));
  await uploads.expire();
  const handler = registryHandler({ repositories, uploads, access, deletion, listener: shared?.listener }, logger);
  const listener = (...call: Parameters<typeof handler>) => void handler(...call);
  const { tls } = options;
  const server =
    tls === undefined ? createServer(listener) : createTlsServer({ cert: tls.certificate, key: tls.key }, listener);
  // Large blobs take as long as they take; a sender that stands still is ended.
  server.requestTimeout = 0;
  server.timeout = 120_000;
  const owned = stack.move();
  return {
    server,
    collectGarbage: (request = {}) =>
      collectGarbage({
        index,
        content,
        clock,
        ...(shared !== undefined && { sweep: () => shared.sweep() }),
        ...request,
      }),
    kept: () => repositories.kept(),
    isNew: (digest) => repositories.isNew(digest),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
