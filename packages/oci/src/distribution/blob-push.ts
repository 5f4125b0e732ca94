import { InvalidArgument, NotFound, PermissionDenied, Unavailable } from "@boxship/base";
import type { ContentStore } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { familiarName, type Reference, withDigest } from "../reference.ts";
import { repositoryScope, type Scope } from "./authentication.ts";
import type { BlobOrigin } from "./blob-origin.ts";
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
import { type HttpRequest, NetworkFailure } from "./http.ts";
import type { Retries } from "./retry.ts";
import type { ApiRequest, Exchange, Session } from "./session.ts";
import { noReply } from "./small-reply.ts";
import type { Transfers, UploadReply } from "./transfer.ts";

interface BlobPush {
  /** The repository; its tag does not matter. */
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  /** Repositories of the same registry that have the blob, as far as is known. @default [] */
  readonly mountFrom?: readonly Reference[] | undefined;
  /** Hears how many bytes were sent, about ten times a second. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredBlobPush extends BlobPush {
  /** Where its file is. */
  readonly store: Pick<ContentStore, "path">;
}

export interface RelayedBlobPush extends BlobPush {
  /** Another registry: nothing is written to a file on the way. */
  readonly origin: BlobOrigin;
}

export type BlobPushRequest = StoredBlobPush | RelayedBlobPush;

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

/** Smaller blobs are read before they are passed on: no thread has to be started for them. */
export const SMALL_BLOB_BYTES = 4 * 1024 * 1024;
/** Registries verify a blob before they answer, and some copy it to another store: they get so many times longer. */
const PATIENCE = 10;

/** An answer to a part of the content. */
interface Sent extends UploadReply {
  /** Why the other registry did not send all of it. */
  readonly error?: Error;
}

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
  /** A small blob of another registry. */
  #content: Promise<Uint8Array> | undefined;

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
    const { chunkBytes } = this.#pusher;
    const isLast = this.#offset === descriptor.size || (this.#offset === 0 && descriptor.size <= chunkBytes);
    // What is passed on comes in one piece: each would have to be asked for.
    const piece = "origin" in this.#request ? descriptor.size : chunkBytes;
    const end = isLast ? descriptor.size : Math.min(descriptor.size, this.#offset + piece);
    if (isLast) return this.#finished(await this.#send("PUT", this.#closing(location), end));
    return this.#continue(await this.#send("PATCH", location, end), end);
  }

  #closing(location: string): string {
    const url = new URL(location);
    url.searchParams.set("digest", this.#request.descriptor.digest);
    return url.href;
  }

  /** Sends the bytes from the offset to `end`. */
  async #send(method: "PUT" | "PATCH", url: string, end: number): Promise<Sent> {
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    if (method === "PATCH") headers["content-range"] = `${this.#offset}-${end - 1}`;
    const request = this.#blob(method, url, { headers });
    const exchange = await this.#exchangeTo(end);
    try {
      return await this.#pusher.session.perform<Sent>(
        this.#endpoint,
        request,
        (http, signal) => exchange({ ...http, idleTimeoutMs: http.idleTimeoutMs * PATIENCE }, signal),
        this.#request.signal,
      );
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      return noReply(error);
    }
  }

  /** How the bytes from the offset to `end` are sent. */
  async #exchangeTo(end: number): Promise<Exchange<Sent>> {
    const { session, transfers } = this.#pusher;
    const { descriptor, onProgress } = this.#request;
    const start = this.#offset;
    if ("store" in this.#request) {
      const path = await this.#request.store.path(descriptor.digest);
      return (http, signal) => transfers.send({ kind: "upload", http, path, start, end }, { signal, onProgress });
    }
    const { origin } = this.#request;
    if (start < end && descriptor.size > SMALL_BLOB_BYTES) return (http, signal) => this.#relay(origin, http, signal);
    const content = start === end ? new Uint8Array() : await (this.#content ??= origin.read());
    return (http, signal) => session.exchange({ ...http, body: content.subarray(start, end) }, signal);
  }

  async #relay(origin: BlobOrigin, to: HttpRequest, signal: AbortSignal | undefined): Promise<Sent> {
    const { size, digest } = this.#request.descriptor;
    const offset = this.#offset;
    const { reply, error } = await origin.relay(
      (from) => this.#pusher.transfers.relay({ kind: "relay", from, to, offset, size, digest }, signal),
      signal,
    );
    // Where the source cannot go on from there, the upload begins again.
    const sent = reply.upload ?? { status: 404, headers: {}, body: new Uint8Array() };
    return error === undefined || reply.upload === undefined ? sent : { ...sent, failure: reply.failure, error };
  }

  async #finished(reply: Sent): Promise<boolean> {
    if (isSuccess(reply)) {
      this.#request.onProgress?.(this.#request.descriptor.size);
      return true;
    }
    return this.#recover(reply);
  }

  async #continue(reply: Sent, end: number): Promise<boolean> {
    if (!isSuccess(reply)) return this.#recover(reply);
    const next = arrived(reply) ?? end;
    const isPossible = next >= this.#offset && next <= this.#request.descriptor.size;
    if (!isPossible || next === this.#offset) await this.#pause(reply);
    if (!isPossible) return this.#restart();
    await this.#at(reply);
    return this.#advance(next);
  }

  /** Before a registry that took a piece gets the same again. */
  async #pause({ headers }: Sent): Promise<void> {
    if (await this.#retries.next(headers["retry-after"], this.#request.signal)) return;
    const { host } = this.#endpoint;
    throw new Unavailable(`${host} does not keep what is sent of blob ${this.#request.descriptor.digest}`, {
      subject: { kind: "registry", name: host },
    });
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
  async #recover(reply: Sent): Promise<boolean> {
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

  #failure(reply: Sent): Error {
    const { failure, error } = reply;
    if (error !== undefined) return error;
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
