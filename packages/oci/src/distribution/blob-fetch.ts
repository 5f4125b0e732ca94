import { InvalidArgument, NotFound, ResourceExhausted, Unsupported } from "@boxship/base";
import type { BlobInfo, ContentStore, Ingest } from "../content-store/contract.ts";
import { isDiskFull } from "../content-store/disk-error.ts";
import type { Descriptor } from "../descriptor.ts";
import { digestAlgorithm } from "../digest.ts";
import type { BlobProgress } from "../layer/blob-source.ts";
import { isForeignLayer } from "../media-types.ts";
import { familiarName, type Reference, withDigest } from "../reference.ts";
import { repositoryScope } from "./authentication.ts";
import type { Endpoint } from "./endpoints.ts";
import { connectionError, isTransientFailure, isTransientStatus, replyError, wrongContent } from "./failures.ts";
import { NetworkFailure } from "./http.ts";
import type { Retries } from "./retry.ts";
import type { ApiRequest, Session } from "./session.ts";
import type { TransferReply, Transfers } from "./transfer.ts";

export interface BlobRequest {
  /** The repository; its tag does not matter. */
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly store: Pick<ContentStore, "ingest">;
  /** Hears how many bytes of the blob are there, about ten times a second. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lets a reader follow the blob while it arrives. */
  readonly follow?: BlobFollower | undefined;
}

/** A reader of a blob that is still being fetched. */
export interface BlobFollower {
  /** Told how far the file is, and no more: `complete` is for whoever calls {@link fetchBlob}. */
  readonly progress: BlobProgress;
  /** Called when what was read so far is worth nothing, and the blob may still arrive. */
  lost(): void;
  /**
   * Called at most once, before the first byte arrives, with the file that grows; it must be opened at once, as it is
   * renamed when it is whole. Not called when the blob cannot be followed.
   */
  opened(path: string): Promise<void>;
}

export interface BlobFetcher {
  readonly session: Session;
  readonly transfers: Transfers;
  /** Fetch layers that the registry does not have from the addresses in their descriptors. */
  readonly foreignLayers: boolean;
}

/** Codes of the transfer worker that mean another content, not a bad connection. */
const WRONG_CONTENT: ReadonlySet<string> = new Set(["ESIZE"]);

/**
 * Brings a blob into the store. What arrived before a cut is kept, across calls and restarts, and only the rest is
 * fetched.
 *
 * @throws NotFound, PermissionDenied, Unavailable, ResourceExhausted as the registry answers
 * @throws InvalidArgument if what arrives has another digest or size
 */
export async function fetchBlob(fetcher: BlobFetcher, request: BlobRequest): Promise<BlobInfo> {
  const { reference, descriptor, store, signal } = request;
  const { digest, size } = descriptor;
  await using ingest = await store.ingest({ key: digest, digest, size });
  const download = new Download(fetcher, request, ingest);
  try {
    return await fetcher.session.anywhere(reference, signal, (endpoint) => download.from(endpoint));
  } catch (error) {
    // What other layers of the image had taken, too, is given back: there is no room to go on from it.
    if (isDiskFull(error)) await ingest.abort();
    if (!(error instanceof NotFound) || !isForeign(descriptor)) throw error;
    if (!fetcher.foreignLayers) throw foreignRefused(descriptor, reference);
    return await download.fromPublisher();
  }
}

function isForeign(descriptor: Descriptor): boolean {
  return (descriptor.urls?.length ?? 0) > 0 && isForeignLayer(descriptor.mediaType);
}

function foreignRefused(descriptor: Descriptor, reference: Reference): Unsupported {
  return new Unsupported(`layer ${descriptor.digest} of ${familiarName(reference)} is only kept by its publisher`, {
    subject: { kind: "blob", name: descriptor.digest },
    remedy: "allow foreign layers in the configuration to fetch it from the address that the image names",
  });
}

class Download {
  readonly #fetcher: BlobFetcher;
  readonly #request: BlobRequest;
  readonly #ingest: Ingest;
  /** Strong validator of what the server sent last. */
  #etag: string | undefined;
  #followed = false;

  constructor(fetcher: BlobFetcher, request: BlobRequest, ingest: Ingest) {
    this.#fetcher = fetcher;
    this.#request = request;
    this.#ingest = ingest;
  }

  async from(endpoint: Endpoint): Promise<BlobInfo> {
    const { reference, descriptor } = this.#request;
    const asked = { what: "blob" as const, reference: withDigest(reference, descriptor.digest) };
    const request: ApiRequest = {
      method: "GET",
      path: `${reference.path}/blobs/${descriptor.digest}`,
      asked,
      scope: repositoryScope(reference, ["pull"]),
    };
    return this.#complete(endpoint, request, (apiRequest) => this.#once(endpoint, apiRequest));
  }

  /** From the addresses in the descriptor, without any authorization. */
  async fromPublisher(): Promise<BlobInfo> {
    const { descriptor, reference } = this.#request;
    let failure: unknown;
    for (const address of descriptor.urls ?? []) {
      const url = URL.canParse(address) ? new URL(address) : undefined;
      if (url?.protocol !== "https:") {
        failure = new InvalidArgument(`layer ${descriptor.digest} names an address that is not https: ${address}`);
        continue;
      }
      const endpoint: Endpoint = { host: url.host, prefix: "", schemes: ["https"], tls: {}, mirror: true };
      const asked = { what: "blob" as const, reference: withDigest(reference, descriptor.digest) };
      const request: ApiRequest = { method: "GET", path: "", asked, scope: "" };
      try {
        return await this.#complete(endpoint, request, (apiRequest) => this.#direct(url, apiRequest));
      } catch (error) {
        this.#request.signal?.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  /** Tries until the blob is committed or cannot be had here. */
  async #complete(
    endpoint: Endpoint,
    request: ApiRequest,
    once: (request: ApiRequest) => Promise<TransferReply>,
  ): Promise<BlobInfo> {
    const { signal, descriptor } = this.#request;
    const retries = this.#fetcher.session.retries(endpoint);
    let continued = this.#ingest.offset > 0;
    for (;;) {
      await this.#offerToFollow(endpoint);
      const before = this.#ingest.offset;
      const headers: Record<string, string> = {};
      if (this.#etag !== undefined && before > 0) headers["if-range"] = this.#etag;
      const reply = await once({ ...request, headers });
      signal?.throwIfAborted();
      if (this.#ingest.offset > before) retries.progressed();
      if (reply.digest === descriptor.digest) return this.#ingest.commit();
      if (reply.digest !== undefined || reply.status === 416 || reply.failure?.code === "ERANGE") {
        // What was there from an earlier try may be to blame: once more from the start.
        await this.#restart();
        if (!continued) throw this.#wrongContent(endpoint, reply);
        continued = false;
      } else if (!(await this.#mayTryAgain(reply, retries))) {
        throw await this.#failure(endpoint, request, reply);
      }
    }
  }

  /** What a mirror sends, or what an earlier call left, may have to be thrown away, which a follower cannot. */
  async #offerToFollow(endpoint: Endpoint): Promise<void> {
    const { follow } = this.#request;
    if (follow === undefined || this.#followed || endpoint.mirror || this.#ingest.offset > 0) return;
    this.#followed = true;
    const { path } = this.#ingest.lend();
    this.#ingest.adopt(0);
    await follow.opened(path);
  }

  async #restart(): Promise<void> {
    if (this.#followed) this.#request.follow?.lost();
    await this.#ingest.restart();
  }

  async #mayTryAgain(reply: TransferReply, retries: Retries): Promise<boolean> {
    const { failure, status, headers } = reply;
    const transient =
      failure === undefined
        ? isTransientStatus(status)
        : isTransientFailure(new NetworkFailure(failure.code, failure.message)) ||
          (failure.code === "ECONNREFUSED" && this.#ingest.offset > 0);
    return transient && (await retries.next(headers["retry-after"], this.#request.signal));
  }

  async #failure(endpoint: Endpoint, request: ApiRequest, reply: TransferReply): Promise<Error> {
    const { failure } = reply;
    if (failure === undefined) return replyError(endpoint.host, reply, request.asked);
    if (WRONG_CONTENT.has(failure.code)) {
      await this.#restart();
      return this.#wrongContent(endpoint, reply);
    }
    return connectionError(endpoint.host, new NetworkFailure(failure.code, failure.message), request.asked.reference);
  }

  #wrongContent(endpoint: Endpoint, reply: TransferReply): InvalidArgument {
    const what = reply.failure?.message ?? `what was sent has the digest ${reply.digest ?? "of another range"}`;
    return wrongContent(endpoint.host, this.#request.descriptor.digest, what);
  }

  /** One try by way of authorization and redirects. */
  async #once(endpoint: Endpoint, request: ApiRequest): Promise<TransferReply> {
    const { session } = this.#fetcher;
    const { signal } = this.#request;
    try {
      return await session.perform(endpoint, request, (http) => this.#transfer(http), signal);
    } catch (error) {
      if (error instanceof NetworkFailure) return this.#failed(error);
      throw error;
    }
  }

  async #direct(url: URL, request: ApiRequest): Promise<TransferReply> {
    const { idleTimeoutMs, userAgent } = this.#fetcher.session.options;
    const headers = { "user-agent": userAgent, ...request.headers };
    return this.#transfer({ method: "GET", url: url.href, headers, tls: {}, idleTimeoutMs });
  }

  #failed(error: NetworkFailure): TransferReply {
    const { code, message } = error;
    const written = this.#ingest.offset;
    return { status: 0, headers: {}, body: new Uint8Array(), written, failure: { code, message } };
  }

  async #transfer(http: Parameters<Parameters<Session["perform"]>[2]>[0]): Promise<TransferReply> {
    const { descriptor, signal, onProgress } = this.#request;
    const { path, offset } = this.#ingest.lend();
    const algorithm = digestAlgorithm(descriptor.digest);
    const follow = this.#followed ? this.#request.follow?.progress.buffer : undefined;
    const job = { kind: "download" as const, http, path, offset, size: descriptor.size, algorithm, follow };
    try {
      const reply = await this.#fetcher.transfers.run(job, { signal, onProgress });
      const etag = reply.headers.etag;
      if (etag !== undefined) this.#etag = etag.startsWith("W/") ? undefined : etag;
      this.#ingest.adopt(reply.written, reply.digest);
      return reply;
    } catch (error) {
      // Only our own disk makes a transfer throw this: what was written gives its space back.
      if (error instanceof ResourceExhausted) await this.#ingest.abort();
      throw error;
    }
  }
}
