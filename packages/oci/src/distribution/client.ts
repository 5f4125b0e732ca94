import { arch, platform } from "node:os";
import {
  type Clock,
  InvalidArgument,
  type Logger,
  NotFound,
  ResourceExhausted,
  silentLogger,
  systemClock,
  Unavailable,
} from "@boxship/base";
import type { BlobInfo } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../digest.ts";
import { type ImageIndex, MANIFEST_SIZE_LIMIT } from "../manifest.ts";
import { MANIFEST_MEDIA_TYPES } from "../media-types.ts";
import { familiarReference, type Reference, withDigest } from "../reference.ts";
import { repositoryScope } from "./authentication.ts";
import { type BlobRequest, fetchBlob } from "./blob-fetch.ts";
import { type BlobOrigin, relayFrom } from "./blob-origin.ts";
import { type BlobPushRequest, type BlobPushResult, pushBlob } from "./blob-push.ts";
import { anonymous, type CredentialSource } from "./credentials.ts";
import type { Endpoint, RegistriesConfig } from "./endpoints.ts";
import { connectionError, type Reply, wrongContent } from "./failures.ts";
import { HttpConnections, NetworkFailure } from "./http.ts";
import type { Ask } from "./pages.ts";
import { listReferrers } from "./referrers.ts";
import type { RetryPolicy } from "./retry.ts";
import { type FoundRepository, type Search, searchRepositories } from "./search.ts";
import { type ApiRequest, Session } from "./session.ts";
import { shortfall } from "./small-reply.ts";
import { listTags } from "./tags.ts";
import { Transfers } from "./transfer.ts";

export interface RegistryClientOptions {
  /** How registries are reached. @default {} */
  readonly registries?: RegistriesConfig;
  /** @default anonymous */
  readonly credentials?: CredentialSource;
  /** @default {} */
  readonly retry?: RetryPolicy;
  /** Give up on a connection on which nothing arrives for so long, in milliseconds. @default 30 000 */
  readonly idleTimeoutMs?: number;
  /** Fetch layers that the registry does not have from the addresses in their descriptors. @default false */
  readonly foreignLayers?: boolean;
  /** Blobs that are larger are uploaded in pieces of this many bytes. @default 64 MiB */
  readonly uploadChunkBytes?: number;
  /**
   * Threads that send, receive and hash blobs.
   * @default 1, which fills one processor with what a fast network brings, and leaves the others to unpack
   */
  readonly transferThreads?: number;
  /** The calling thread is one of them: for programs that do nothing else meanwhile. @default false */
  readonly transferHere?: boolean;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default silentLogger */
  readonly logger?: Logger;
}

export interface RequestOptions {
  /** Credentials for this request instead of the client's, e.g. those that an API request brought along. */
  readonly credentials?: CredentialSource | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ReferrersOptions extends RequestOptions {
  /** Only those of this type. @default all */
  readonly artifactType?: string | undefined;
}

/** A manifest's bytes as the registry keeps them, verified. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** What the registry says it is; empty if it does not. */
  readonly mediaType: string;
}

export interface ManifestToPut {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** What the registry did with a manifest. */
export interface StoredManifest {
  /** It has seen the manifest's subject, and will list it as a referrer. False for manifests without one. */
  readonly keepsReferrers: boolean;
}

/** What a tag stands for at the moment. */
export interface ResolvedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/**
 * Reads from and writes to registries that speak the distribution specification 1.1, which Docker's registry does.
 *
 * Every method throws NotFound, PermissionDenied, ResourceExhausted (rate limits) and Unavailable as the registry answers,
 * InvalidArgument for content that is not what its digest says, and the signal's reason when aborted.
 */
export interface RegistryClient extends AsyncDisposable {
  /** Checks that the registry of the reference answers and lets us in. */
  ping(reference: Reference, options?: RequestOptions): Promise<void>;
  /** The digest of a tag, without its manifest where the registry can do that. */
  resolve(reference: Reference, options?: RequestOptions): Promise<ResolvedManifest>;
  /** The manifest or index by digest, or by tag. */
  manifest(reference: Reference, options?: RequestOptions): Promise<FetchedManifest>;
  /** Size of a blob, or undefined if the repository does not have it. */
  statBlob(reference: Reference, digest: Digest, options?: RequestOptions): Promise<BlobInfo | undefined>;
  /** A small blob in memory. Refuses one of more than 8 MiB. */
  readBlob(reference: Reference, descriptor: Descriptor, options?: RequestOptions): Promise<Uint8Array>;
  /** Brings a blob into a content store; goes on where an earlier call stopped. */
  fetchBlob(request: BlobRequest & RequestOptions): Promise<BlobInfo>;
  /** A blob that {@link pushBlob}, also of another client, is to pass on. Nothing is asked for yet. */
  blobOrigin(reference: Reference, descriptor: Descriptor, options?: Pick<RequestOptions, "credentials">): BlobOrigin;
  /** Brings a blob into a repository. */
  pushBlob(request: BlobPushRequest & RequestOptions): Promise<BlobPushResult>;
  /** Stores a manifest or index under the tag of the reference, or without one under its digest. */
  putManifest(reference: Reference, manifest: ManifestToPut, options?: RequestOptions): Promise<StoredManifest>;
  /** Removes a manifest or index by digest; a tag is resolved first. Tags that lead to it go along. */
  deleteManifest(reference: Reference, options?: RequestOptions): Promise<void>;
  /**
   * What refers to a manifest of the repository: signatures, bills of materials, other artifacts. From the referrers API,
   * or the tag that takes its place where a registry has none.
   */
  referrers(reference: Reference, subject: Digest, options?: ReferrersOptions): Promise<ImageIndex>;
  /** Every tag of the repository, in the registry's order. */
  tags(reference: Reference, options?: RequestOptions): Promise<readonly string[]>;
  /** Repositories of a registry. Unsupported when it has neither a search nor a catalogue. */
  search(search: Search, options?: RequestOptions): Promise<readonly FoundRepository[]>;
}

export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  return new Client(options);
}

const IDLE_TIMEOUT_MS = 30_000;
const UPLOAD_CHUNK_BYTES = 64 * 1024 * 1024;
const ACCEPT = MANIFEST_MEDIA_TYPES.join(", ");

class Client implements RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #connections = new HttpConnections();
  readonly #session: Session;
  readonly #transfers: Transfers;
  /** Sessions with credentials of a caller, whose tokens must not serve others. */
  readonly #sessions = new WeakMap<CredentialSource, Session>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#transfers = new Transfers({ threads: options.transferThreads ?? 1, here: options.transferHere ?? false });
    this.#session = this.#newSession(options.credentials ?? anonymous);
  }

  async ping(reference: Reference, options: RequestOptions = {}): Promise<void> {
    const session = this.#sessionFor(options);
    const request = { method: "GET" as const, path: "", asked: { what: "registry" as const, reference }, scope: "" };
    await session.anywhere(reference, options.signal, (endpoint) => session.ask(endpoint, request, options.signal));
  }

  async resolve(reference: Reference, options: RequestOptions = {}): Promise<ResolvedManifest> {
    const session = this.#sessionFor(options);
    return session.anywhere(reference, options.signal, async (endpoint) => {
      const request = { ...manifestRequest(reference), method: "HEAD" as const };
      const head = await session.ask(endpoint, request, options.signal).catch((error: unknown) => {
        options.signal?.throwIfAborted();
        if (error instanceof Unavailable || error instanceof ResourceExhausted) throw error;
        return undefined;
      });
      const resolved = head === undefined ? undefined : readHead(reference, head);
      if (resolved !== undefined) return resolved;
      // The answer to HEAD has no body: only GET says why it failed, and some registries leave the digest out.
      const { bytes, digest, mediaType } = await this.#manifestAt(session, endpoint, reference, options.signal);
      return { digest, mediaType, size: bytes.byteLength };
    });
  }

  async manifest(reference: Reference, options: RequestOptions = {}): Promise<FetchedManifest> {
    const session = this.#sessionFor(options);
    return session.anywhere(reference, options.signal, (endpoint) =>
      this.#manifestAt(session, endpoint, reference, options.signal),
    );
  }

  async #manifestAt(
    session: Session,
    endpoint: Endpoint,
    reference: Reference,
    signal: AbortSignal | undefined,
  ): Promise<FetchedManifest> {
    const reply = await session.ask(endpoint, manifestRequest(reference), signal);
    const bytes = reply.body;
    if (bytes.byteLength > MANIFEST_SIZE_LIMIT) {
      throw new InvalidArgument(`manifest of ${familiarReference(reference)} is too large: ${bytes.byteLength} bytes`);
    }
    const announced = announcedDigest(reply);
    const expected = reference.digest ?? announced;
    const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
    if (expected !== undefined && digest !== expected) {
      throw new InvalidArgument(
        `${endpoint.host} sent wrong content for the manifest of ${familiarReference(reference)}: its digest is ${digest} instead of ${expected}`,
        { subject: { kind: "image", name: familiarReference(reference) } },
      );
    }
    return { bytes, digest, mediaType: contentType(reply) };
  }

  async statBlob(reference: Reference, digest: Digest, options: RequestOptions = {}): Promise<BlobInfo | undefined> {
    const session = this.#sessionFor(options);
    return session.anywhere(reference, options.signal, async (endpoint) => {
      try {
        const reply = await session.ask(endpoint, blobRequest("HEAD", reference, digest), options.signal);
        return { digest, size: Number(reply.headers["content-length"] ?? 0) };
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    });
  }

  async readBlob(reference: Reference, descriptor: Descriptor, options: RequestOptions = {}): Promise<Uint8Array> {
    const session = this.#sessionFor(options);
    const { digest, size } = descriptor;
    return session.anywhere(reference, options.signal, async (endpoint) => {
      const retries = session.retries(endpoint);
      for (;;) {
        const { body } = await session.ask(endpoint, blobRequest("GET", reference, digest), options.signal);
        if (body.byteLength === size && digestOf(body, digestAlgorithm(digest)) === digest) return body;
        const short = shortfall(body.byteLength, size);
        if (short === undefined || body.byteLength > size) throw wrongContent(endpoint.host, digest, short?.message);
        // Without a length, the end of a body looks like that of the connection.
        if (await retries.next(undefined, options.signal)) continue;
        throw connectionError(endpoint.host, new NetworkFailure(short.code, short.message), reference);
      }
    });
  }

  fetchBlob(request: BlobRequest & RequestOptions): Promise<BlobInfo> {
    const { foreignLayers = false } = this.#options;
    return fetchBlob({ session: this.#sessionFor(request), transfers: this.#transfers, foreignLayers }, request);
  }

  blobOrigin(
    reference: Reference,
    descriptor: Descriptor,
    options: Pick<RequestOptions, "credentials"> = {},
  ): BlobOrigin {
    const session = this.#sessionFor(options);
    const request = blobRequest("GET", reference, descriptor.digest);
    return {
      read: () => this.readBlob(reference, descriptor, options),
      relay: (exchange, signal) => relayFrom(session, { reference, descriptor, request }, exchange, signal),
    };
  }

  pushBlob(request: BlobPushRequest & RequestOptions): Promise<BlobPushResult> {
    const { uploadChunkBytes: chunkBytes = UPLOAD_CHUNK_BYTES } = this.#options;
    return pushBlob({ session: this.#sessionFor(request), transfers: this.#transfers, chunkBytes }, request);
  }

  async putManifest(
    reference: Reference,
    manifest: ManifestToPut,
    options: RequestOptions = {},
  ): Promise<StoredManifest> {
    const session = this.#sessionFor(options);
    const { bytes, digest, mediaType } = manifest;
    const request: ApiRequest = {
      method: "PUT",
      path: `${reference.path}/manifests/${reference.tag ?? digest}`,
      headers: { "content-type": mediaType },
      body: bytes,
      asked: { what: "manifest", reference, action: "push" },
      scope: repositoryScope(reference, ["pull", "push"]),
    };
    const endpoint = session.registry(reference);
    const reply = await session.ask(endpoint, request, options.signal);
    const stored = announcedDigest(reply);
    const keepsReferrers = reply.headers["oci-subject"] !== undefined;
    if (stored === undefined || stored === digest) return { keepsReferrers };
    throw new InvalidArgument(
      `${endpoint.host} has stored another manifest for ${familiarReference(reference)}: its digest is ${stored} instead of ${digest}`,
      { subject: { kind: "image", name: familiarReference(reference) } },
    );
  }

  async deleteManifest(reference: Reference, options: RequestOptions = {}): Promise<void> {
    const session = this.#sessionFor(options);
    const digest = reference.digest ?? (await this.resolve(reference, options)).digest;
    const request: ApiRequest = {
      method: "DELETE",
      path: `${reference.path}/manifests/${digest}`,
      asked: { what: "manifest", reference, action: "delete" },
      scope: repositoryScope(reference, ["delete"]),
    };
    await session.ask(session.registry(reference), request, options.signal);
  }

  async referrers(reference: Reference, subject: Digest, options: ReferrersOptions = {}): Promise<ImageIndex> {
    const session = this.#sessionFor(options);
    const endpoint = session.registry(reference);
    return listReferrers(asker(session, endpoint, options.signal), reference, subject, options.artifactType);
  }

  async tags(reference: Reference, options: RequestOptions = {}): Promise<readonly string[]> {
    const session = this.#sessionFor(options);
    return session.anywhere(reference, options.signal, (endpoint) =>
      listTags(asker(session, endpoint, options.signal), reference),
    );
  }

  search(search: Search, { signal, credentials }: RequestOptions = {}): Promise<readonly FoundRepository[]> {
    const session = this.#sessionFor({ credentials });
    const endpoint = session.registry({ domain: search.domain, path: "search" });
    const asking = {
      ask: asker(session, endpoint, signal),
      address: (path: string) => session.address(endpoint, path, signal),
    };
    return searchRepositories(asking, search);
  }

  #sessionFor(options: RequestOptions): Session {
    const { credentials } = options;
    if (credentials === undefined) return this.#session;
    let session = this.#sessions.get(credentials);
    if (session === undefined) {
      session = this.#newSession(credentials);
      this.#sessions.set(credentials, session);
    }
    return session;
  }

  #newSession(credentials: CredentialSource): Session {
    const { registries = {}, retry = {}, idleTimeoutMs = IDLE_TIMEOUT_MS } = this.#options;
    const { clock = systemClock, logger = silentLogger } = this.#options;
    const connections = this.#connections;
    const userAgent = `boxship (${platform()}; ${arch()})`;
    return new Session({ registries, credentials, retry, idleTimeoutMs, clock, logger, userAgent, connections });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections[Symbol.dispose]();
    await this.#transfers[Symbol.asyncDispose]();
  }
}

/** Asks one endpoint until the caller's signal is aborted, or that of one request. */
function asker(session: Session, endpoint: Endpoint, signal: AbortSignal | undefined): Ask {
  return (request, own) => {
    const signals = [signal, own].filter((one) => one !== undefined);
    return session.ask(endpoint, request, signals.length === 0 ? undefined : AbortSignal.any(signals));
  };
}

function manifestRequest(reference: Reference): ApiRequest {
  return {
    method: "GET",
    path: `${reference.path}/manifests/${reference.digest ?? reference.tag ?? "latest"}`,
    headers: { accept: ACCEPT },
    asked: { what: "manifest", reference },
    scope: repositoryScope(reference, ["pull"]),
  };
}

function blobRequest(method: "GET" | "HEAD", reference: Reference, digest: Digest): ApiRequest {
  return {
    method,
    path: `${reference.path}/blobs/${digest}`,
    asked: { what: "blob", reference: withDigest(reference, digest) },
    scope: repositoryScope(reference, ["pull"]),
  };
}

function announcedDigest(reply: Reply): Digest | undefined {
  const header = reply.headers["docker-content-digest"];
  return typeof header === "string" && isDigest(header) ? header : undefined;
}

function contentType(reply: Reply): string {
  return (reply.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
}

function readHead(reference: Reference, reply: Reply): ResolvedManifest | undefined {
  const digest = reference.digest ?? announcedDigest(reply);
  const length = reply.headers["content-length"];
  if (digest === undefined || length === undefined || contentType(reply) === "") return undefined;
  return { digest, mediaType: contentType(reply), size: Number(length) };
}
