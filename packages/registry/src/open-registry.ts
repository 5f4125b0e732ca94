import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { join } from "node:path";
import { type Clock, FailedPrecondition, type Logger, systemClock } from "@boxship/base";
import { tryLockFile } from "@boxship/kernel";
import { type Digest, openContentStore } from "@boxship/oci";
import { openSqliteStore } from "@boxship/store";
import { type Access, openAccess } from "./access/contract.ts";
import type { BlobStore } from "./blobs/contract.ts";
import { openS3Store } from "./blobs/s3/s3-store.ts";
import type { RegistryFile } from "./config/registry-file.ts";
import { Metrics } from "./http/metrics.ts";
import { registryHandler } from "./http/registry-handler.ts";
import { HANDSHAKE_TIMEOUT, limitServer, SERVER_OPTIONS } from "./http/server-limits.ts";
import { SlowClients } from "./http/slow-clients.ts";
import { Webhooks } from "./notify/webhooks.ts";
import { Quotas } from "./policy/quotas.ts";
import { retainTags } from "./policy/retain-tags.ts";
import { compileRetention } from "./policy/retention.ts";
import { holdToPlace } from "./store/blob-place.ts";
import { checkRegistry, type RegistryCheck } from "./store/check-registry.ts";
import {
  type Collected,
  type CollectOptions,
  collectGarbage,
  type RemovalWatcher,
  type Swept,
} from "./store/collect-garbage.ts";
import type { ImageSource, RegistryListener } from "./store/image-source.ts";
import { RepositoryStore } from "./store/repository-store.ts";
import { Uploads } from "./store/uploads.ts";
import { PullThrough } from "./upstream/pull-through.ts";

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
  /** Then it speaks TLS. @default plain HTTP */
  readonly tls?: TlsTexts;
  /** How much repositories may take, which tags stay, who is told. @default no limits, all, nobody */
  readonly policy?: RegistryFile;
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** In PEM. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
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
  /**
   * Takes tags away that the rules of retention do not hold, and then what no tag leads to any more in their repositories,
   * but for what was pushed within `grace` milliseconds.
   */
  retain(options?: { readonly dryRun?: boolean; readonly grace?: number }): Promise<readonly RetiredTag[]>;
  /** Reads all that is kept, and mends it where it should; see {@link checkRegistry}. */
  check(options?: { readonly repair?: boolean }): Promise<RegistryCheck>;
  /** From now on, for new connections. @throws FailedPrecondition without TLS */
  setTls(tls: TlsTexts): void;
  /** Digests that its repositories need: what a sweep of shared content leaves alone. */
  kept(): Promise<ReadonlySet<Digest>>;
  /** Whether a digest came to be needed since {@link kept} was asked. */
  isNew(digest: Digest): boolean;
}

export interface RetiredTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

function openBlobs({ root, policy, clock = systemClock }: RegistryOptions): Promise<BlobStore> {
  const s3 = policy?.storage?.s3;
  if (s3 === undefined) return openContentStore({ root: join(root, "content"), clock });
  return openS3Store({ ...s3, staging: root, clock });
}

function tlsOptions({ certificate, key }: TlsTexts) {
  return { ...SERVER_OPTIONS, cert: certificate, key, handshakeTimeout: HANDSHAKE_TIMEOUT };
}

/** A bucket may move to another host, but not be another one. */
function placeOf({ storage }: RegistryFile): string {
  if (storage === undefined) return "its own directory";
  const { endpoint, prefix = "" } = storage.s3;
  return `bucket ${new URL(endpoint).pathname.slice(1).replace(/\/$/, "")}, prefix ${JSON.stringify(prefix)}`;
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
  const content = options.content ?? stack.use(await openBlobs(options));
  const index = stack.use(await openSqliteStore({ path: join(root, "index.db"), clock }));
  const { shared, policy = {} } = options;
  if (options.content === undefined) await holdToPlace(index, placeOf(policy));
  const quotas = await Quotas.open(policy.quotas ?? [], index);
  const outdated = compileRetention(policy.retention ?? []);
  const repositories = new RepositoryStore({
    index,
    content,
    immutableTags,
    quotas,
    clock,
    ...(shared !== undefined && { source: shared.images }),
  });
  const uploads = stack.use(new Uploads({ index, repositories, clock }));
  await uploads.expire();
  const webhooks = stack.use(new Webhooks({ webhooks: policy.webhooks ?? [], index, clock, logger }));
  const upstreams = stack.use(
    new PullThrough({ upstreams: policy.upstreams ?? [], repositories, index, metrics: () => metrics, clock, logger }),
  );
  const metrics: Metrics = new Metrics({
    webhooks: () => webhooks.waiting(),
    quotas: () => quotas.usage(),
    uploads: () => uploads.count(),
  });
  const slowClients = stack.use(new SlowClients(clock));
  const listener = shared?.listener;
  const handler = registryHandler(
    { repositories, uploads, access, deletion, listener, upstreams, webhooks, metrics, slowClients },
    logger,
  );
  const answer = (...call: Parameters<typeof handler>) => void handler(...call);
  const { tls } = options;
  const server = tls === undefined ? createServer(SERVER_OPTIONS, answer) : createTlsServer(tlsOptions(tls), answer);
  limitServer(server);
  const watcher: RemovalWatcher = {
    operations: (removed) => webhooks.operations({ action: "delete", user: "", ...removed }),
    removed: (repository, size) => {
      quotas.give(repository, size);
      webhooks.wake();
    },
  };
  const owned = stack.move();
  return {
    server,
    collectGarbage: async (request = {}) => {
      if (request.dryRun !== true) await uploads.expire();
      const sweep = shared === undefined ? {} : { sweep: () => shared.sweep() };
      return collectGarbage({ index, content, clock, watcher, repositories, ...sweep, ...request });
    },
    retain: (request = {}) => retainTags({ index, outdated, clock, watcher, repositories, listener, ...request }),
    check: (request = {}) => {
      const onRemoved = (repository: string, size: number) => watcher.removed(repository, size);
      return checkRegistry({ index, content, alone: shared === undefined, onRemoved, ...request });
    },
    setTls: ({ certificate, key }) => {
      if (!(server instanceof TlsServer)) throw new FailedPrecondition("this registry does not speak TLS");
      server.setSecureContext({ cert: certificate, key });
    },
    kept: () => repositories.kept(),
    isNew: (digest) => repositories.isNew(digest),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
