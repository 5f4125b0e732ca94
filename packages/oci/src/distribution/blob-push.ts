import { InvalidArgument, NotFound, PermissionDenied, Unavailable } from "@boxship/base";
import type { ContentStore } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { familiarName, type Reference, withDigest } from "../reference.ts";
import { repositoryScope, type Scope } from "./authentication.ts";
import type { Endpoint } from "./endpoints.ts";
import {
  type Asked,
  connectionError,
  isTransientFailure,
  isTransientStatus,
  type Reply,
  registryWords,
  replyError,
} from "./failures.ts";
import { NetworkFailure } from "./http.ts";
import type { Retries } from "./retry.ts";
import type { ApiRequest, Session } from "./session.ts";
import type { Transfers, UploadReply } from "./transfer.ts";

/** A file that is written while it is pushed. */
export interface GrowingFile {
  /**
   * Resolves when the file has so many bytes, which do not change any more; for all of them, when they were verified.
   * Rejects when they will never come.
   */
  reached(bytes: number): Promise<void>;
}

export interface BlobPushRequest {
  /** The repository; its tag does not matter. */
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  /** Where its file is. */
  readonly store: Pick<ContentStore, "path">;
  /** Asked when the content is needed: how far a file is that still grows. @default the file is whole */
  readonly growing?: (() => Promise<GrowingFile | undefined>) | undefined;
  /** Repositories of the same registry that have the blob, as far as is known. @default [] */
  readonly mountFrom?: readonly Reference[] | undefined;
  /** Hears how many bytes were sent, about ten times a second. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type BlobPushResult =
  | { readonly kind: "exists" }
  | { readonly kind: "mounted"; readonly from: Reference }
  | { readonly kind: "pushed" };

export interface BlobPusher {
  readonly session: Session;
  readonly transfers: Transfers;
  /** Larger blobs are sent in pieces of this many bytes. */
  readonly chunkBytes: number;
}

/** A blob that still arrives is passed on in pieces of this many bytes, at most: each waits for its last byte. */
const GROWING_CHUNK_BYTES = 16 * 1024 * 1024;
/** Registries verify a blob before they answer, and some copy it to another store: they get so many times longer. */
const PATIENCE = 10;

/**
 * Brings a blob into a repository: not at all when it is there, by a mount from a repository next door, or by an upload
 * that goes on where it was cut.
 *
 * @throws PermissionDenied, ResourceExhausted, Unavailable as the registry answers; InvalidArgument if it says that the
 *   content is not what its digest says
 */
export async function pushBlob(pusher: BlobPusher, request: BlobPushRequest): Promise<BlobPushResult> {
  const endpoint = pusher.session.registry(request.reference);
  return new Upload(pusher, request, endpoint).run();
}

/**
 * One blob on its way (distribution specification 1.1, "Pushing blobs").
 *
 *     HEAD ─▶ there
 *      └─▶ POST ?mount ─▶ there
 *           └─▶ POST ─▶ PATCH … PATCH ─▶ PUT ─▶ there         (one PUT for a small blob)
 *                        ▲       │ cut
 *                        └─ GET ◀┘                             how much has arrived; else a new POST
 */
class Upload {
  readonly #pusher: BlobPusher;
  readonly #request: BlobPushRequest;
  readonly #endpoint: Endpoint;
  readonly #asked: Asked;
  readonly #scope: Scope;
  readonly #retries: Retries;
  /** Where the registry takes the next bytes; undefined when there is no upload. */
  #location: string | undefined;
  /** Bytes that the registry has. */
  #offset = 0;
  /** The most that it ever had: only more than that is progress. */
  #furthest = 0;

  constructor(pusher: BlobPusher, request: BlobPushRequest, endpoint: Endpoint) {
    const { reference, descriptor } = request;
    this.#pusher = pusher;
    this.#request = request;
    this.#endpoint = endpoint;
    this.#asked = { what: "blob", reference: withDigest(reference, descriptor.digest), action: "push" };
    this.#scope = repositoryScope(reference, ["pull", "push"]);
    this.#retries = pusher.session.retries(endpoint);
  }

  async run(): Promise<BlobPushResult> {
    if (await this.#exists()) return { kind: "exists" };
    for (const from of this.#request.mountFrom ?? []) if (await this.#mount(from)) return { kind: "mounted", from };
    while (!(await this.#step())) this.#request.signal?.throwIfAborted();
    return { kind: "pushed" };
  }

  #blob(method: ApiRequest["method"], path: string, more: Partial<ApiRequest> = {}): ApiRequest {
    return { method, path, asked: this.#asked, scope: this.#scope, ...more };
  }

  #ask(request: ApiRequest): Promise<Reply> {
    return this.#pusher.session.ask(this.#endpoint, request, this.#request.signal);
  }

  async #exists(): Promise<boolean> {
    const { reference, descriptor } = this.#request;
    try {
      const reply = await this.#ask(this.#blob("HEAD", `${reference.path}/blobs/${descriptor.digest}`));
      const length = reply.headers["content-length"];
      return length === undefined || Number(length) === descriptor.size;
    } catch (error) {
      // A registry that does not know the repository yet, or has no HEAD.
      if (error instanceof NotFound || error instanceof InvalidArgument) return false;
      throw error;
    }
  }

  /** @returns whether the registry has taken the blob over; else there may be an upload now */
  async #mount(from: Reference): Promise<boolean> {
    const { reference, descriptor } = this.#request;
    const query = new URLSearchParams({ mount: descriptor.digest, from: from.path });
    const scope = `${this.#scope} ${repositoryScope(from, ["pull"])}`;
    try {
      const reply = await this.#ask(
        this.#blob("POST", `${reference.path}/blobs/uploads/?${query.toString()}`, { scope }),
      );
      if (reply.status === 201) return true;
      await this.#at(reply);
      return false;
    } catch (error) {
      // We may not read there any more; whether we may write here shows next.
      if (error instanceof PermissionDenied || error instanceof NotFound || error instanceof InvalidArgument)
        return false;
      throw error;
    }
  }

  /** Takes in where to go on. */
  async #at({ headers }: Reply): Promise<void> {
    const { location } = headers;
    if (location === undefined) {
      throw new Unavailable(`${this.#endpoint.host} does not say where to send a blob`, {
        subject: { kind: "registry", name: this.#endpoint.host },
      });
    }
    this.#location = await this.#pusher.session.address(this.#endpoint, location, this.#request.signal);
  }

  /** One exchange of the upload. @returns whether the blob is there */
  async #step(): Promise<boolean> {
    const { reference, descriptor } = this.#request;
    if (this.#location === undefined) {
      await this.#at(await this.#ask(this.#blob("POST", `${reference.path}/blobs/uploads/`)));
      this.#offset = 0;
    }
    const location = this.#location ?? "";
    const growing = await this.#request.growing?.();
    const limit = growing === undefined ? Infinity : GROWING_CHUNK_BYTES;
    const chunkBytes = Math.min(this.#pusher.chunkBytes, limit);
    const isLast = this.#offset === descriptor.size || (this.#offset === 0 && descriptor.size <= chunkBytes);
    const end = isLast ? descriptor.size : Math.min(descriptor.size, this.#offset + chunkBytes);
    await growing?.reached(end);
    if (isLast) return this.#finished(await this.#send("PUT", this.#closing(location), end));
    return this.#continue(await this.#send("PATCH", location, end), end);
  }

  #closing(location: string): string {
    const url = new URL(location);
    url.searchParams.set("digest", this.#request.descriptor.digest);
    return url.href;
  }

  /** Sends the bytes from the offset to `end`. */
  async #send(method: "PUT" | "PATCH", url: string, end: number): Promise<UploadReply> {
    const { session, transfers } = this.#pusher;
    const { store, descriptor, signal, onProgress } = this.#request;
    const start = this.#offset;
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    if (method === "PATCH") headers["content-range"] = `${start}-${end - 1}`;
    const path = await store.path(descriptor.digest);
    try {
      return await session.perform<UploadReply>(
        this.#endpoint,
        this.#blob(method, url, { headers }),
        (http) => {
          const patient = { ...http, idleTimeoutMs: http.idleTimeoutMs * PATIENCE };
          return transfers.send({ kind: "upload", http: patient, path, start, end }, { signal, onProgress });
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      return { status: 0, headers: {}, body: new Uint8Array(), failure: { code: error.code, message: error.message } };
    }
  }

  async #finished(reply: UploadReply): Promise<boolean> {
    if (isSuccess(reply)) {
      this.#request.onProgress?.(this.#request.descriptor.size);
      return true;
    }
    return this.#recover(reply);
  }

  async #continue(reply: UploadReply, end: number): Promise<boolean> {
    if (!isSuccess(reply)) return this.#recover(reply);
    const next = arrived(reply) ?? end;
    if (next > this.#request.descriptor.size || next < this.#offset) return this.#restart();
    await this.#at(reply);
    return this.#advance(next);
  }

  #advance(offset: number): false {
    this.#offset = offset;
    if (offset > this.#furthest) {
      this.#furthest = offset;
      this.#retries.progressed();
    }
    return false;
  }

  #restart(): false {
    this.#location = undefined;
    this.#offset = 0;
    return false;
  }

  /** After an exchange that failed: finds out how far the upload is, or starts over. */
  async #recover(reply: UploadReply): Promise<boolean> {
    const { failure, status, headers } = reply;
    const isLost = status === 404 || status === 416;
    const isTransient =
      failure === undefined
        ? isTransientStatus(status) || isLost
        : isTransientFailure(new NetworkFailure(failure.code, failure.message));
    if (!isTransient) throw this.#failure(reply);
    if (!(await this.#retries.next(headers["retry-after"], this.#request.signal))) throw this.#failure(reply);
    // The answer may have been all that was lost.
    if (await this.#exists()) return true;
    return status === 404 ? this.#restart() : this.#resume();
  }

  /** Asks how much has arrived ("Pushing a blob in chunks"); a registry that cannot say gets it all again. */
  async #resume(): Promise<false> {
    if (this.#location === undefined) return this.#restart();
    try {
      const reply = await this.#ask(this.#blob("GET", this.#location));
      const offset = arrived(reply);
      if (offset === undefined || offset > this.#request.descriptor.size) return this.#restart();
      if (reply.headers.location !== undefined) await this.#at(reply);
      return this.#advance(offset);
    } catch (error) {
      this.#request.signal?.throwIfAborted();
      if (error instanceof PermissionDenied) throw error;
      return this.#restart();
    }
  }

  #failure(reply: UploadReply): Error {
    const { failure } = reply;
    const { host } = this.#endpoint;
    const { reference, descriptor } = this.#request;
    if (failure !== undefined) {
      return connectionError(host, new NetworkFailure(failure.code, failure.message), reference);
    }
    const words = registryWords(reply) ?? "";
    if (!words.startsWith("digest invalid")) return replyError(host, reply, this.#asked);
    return new InvalidArgument(`${host} refuses blob ${descriptor.digest} of ${familiarName(reference)}: ${words}`, {
      subject: { kind: "blob", name: descriptor.digest },
      remedy: "the content was damaged on this machine or on the way; pull or build the image again",
    });
  }
}

function isSuccess({ failure, status }: UploadReply): boolean {
  return failure === undefined && status >= 200 && status < 300;
}

/** How many bytes the registry has, by `Range: 0-<last>`; undefined when it does not say. */
function arrived({ headers }: Reply): number | undefined {
  const match = /^(?:bytes=)?0-(\d+)$/.exec(headers.range ?? "");
  if (match === null) return undefined;
  const last = Number(match[1]);
  // Docker's registry says 0-0 for nothing at all, too.
  return last === 0 ? 0 : last + 1;
}
