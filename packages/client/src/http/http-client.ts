import { isObject, type Json, type JsonObject, type KubeObject, parseJson, statusOf, textAt } from "@boxship/api";
import { type Clock, sleep, systemClock, Unavailable } from "@boxship/base";
import type {
  ApiClient,
  CallOptions,
  Collection,
  DeleteOptions,
  ListOptions,
  ObjectList,
  ObjectRef,
  PatchOptions,
  PatchType,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "../contract.ts";
import { Connection, type HttpRequest } from "./connection.ts";
import type { ConnectionOptions } from "./options.ts";
import { collectionPath, objectPath, queryOf } from "./paths.ts";
import { readJson, readLines, statusError } from "./read-reply.ts";
import { readSharedLine } from "./shared-lines.ts";

export interface HttpClientOptions extends ConnectionOptions {
  /** @default boxship */
  readonly userAgent?: string;
  /** Milliseconds that one answer may take; watches are not answers. @default 60000 */
  readonly timeout?: number;
  readonly clock?: Clock;
}

/** A server that asks to come back later is asked again so often. */
const MOST_RETRIES = 10;

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

/** The API over HTTPS. All calls and watches share one connection. */
export function openHttpClient(options: HttpClientOptions): ApiClient {
  return new HttpClient(options);
}

class HttpClient implements ApiClient {
  readonly #connection: Connection;
  readonly #userAgent: string;
  readonly #timeout: number;
  readonly #clock: Clock;

  constructor(options: HttpClientOptions) {
    this.#connection = new Connection(options);
    this.#userAgent = options.userAgent ?? "boxship";
    this.#timeout = options.timeout ?? 60_000;
    this.#clock = options.clock ?? systemClock;
  }

  async get<T extends KubeObject>(ref: ObjectRef, options: CallOptions = {}): Promise<T> {
    return (await this.#call({ method: "GET", path: objectPath(ref), ...options })) as T;
  }

  async list<T extends KubeObject>(collection: Collection, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { signal, ...query } = options;
    const answer = await this.#call({ method: "GET", path: `${collectionPath(collection)}${queryOf(query)}`, signal });
    const next = textAt(answer, "metadata", "continue");
    const listKind = textAt(answer, "kind");
    const apiVersion = textAt(answer, "apiVersion");
    const items = isObject(answer) && Array.isArray(answer["items"]) ? (answer["items"] as T[]) : [];
    // Items of a list name no type, as the list does it for them.
    for (const item of items) Object.assign(item, { apiVersion, kind: listKind.replace(/List$/, "") });
    const resourceVersion = textAt(answer, "metadata", "resourceVersion");
    return { items, resourceVersion, ...(next === "" ? {} : { continue: next }) };
  }

  async *watch<T extends KubeObject>(
    collection: Collection,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>, void> {
    const { signal, bookmarks, isShared, ...rest } = options;
    const query = queryOf({ watch: true, allowWatchBookmarks: bookmarks, ...rest });
    const reply = await this.#send({ method: "GET", path: `${collectionPath(collection)}${query}`, signal });
    if (reply.status !== 200) await readJson(reply);
    try {
      const read = isShared === true ? readSharedLine : parseJson;
      for await (const line of readLines(reply.stream, read)) yield eventOf<T>(line);
    } finally {
      reply.stream.close();
    }
    signal?.throwIfAborted();
  }

  async create<T extends KubeObject>(collection: Collection, object: T, options: WriteOptions = {}): Promise<T> {
    const { subresource = "", ...rest } = options;
    const at =
      subresource === ""
        ? collectionPath(collection)
        : objectPath({ ...collection, name: object.metadata.name ?? "" }, subresource);
    return (await this.#write("POST", at, object, rest)) as T;
  }

  async update<T extends KubeObject>(ref: ObjectRef, object: T, options: WriteOptions = {}): Promise<T> {
    return (await this.#write("PUT", objectPath(ref, options.subresource), object, options)) as T;
  }

  async patch<T extends KubeObject>(
    ref: ObjectRef,
    type: PatchType,
    patch: Json,
    options: PatchOptions = {},
  ): Promise<T> {
    const path = objectPath(ref, options.subresource);
    return (await this.#write("PATCH", path, patch, options, PATCH_TYPES[type])) as T;
  }

  async #write(
    method: string,
    path: string,
    body: Json,
    { signal, dryRun, fieldManager, force }: PatchOptions,
    contentType = "application/json",
  ): Promise<Json> {
    const query = queryOf({ dryRun: dryRun === true ? "All" : undefined, fieldManager, force });
    const headers = { "content-type": contentType };
    return await this.#call({ method, path: `${path}${query}`, body: JSON.stringify(body), headers, signal });
  }

  async delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<JsonObject> {
    const answer = await this.#call({ method: "DELETE", path: objectPath(ref), ...deletion(options) });
    return isObject(answer) ? answer : {};
  }

  async deleteCollection(collection: Collection, options: DeleteOptions & ListOptions = {}): Promise<void> {
    const { labelSelector, fieldSelector, limit } = options;
    const path = `${collectionPath(collection)}${queryOf({ labelSelector, fieldSelector, limit })}`;
    await this.#call({ method: "DELETE", path, ...deletion(options) });
  }

  async getRaw(path: string, options: CallOptions = {}): Promise<Json> {
    return await this.#call({ method: "GET", path, ...options });
  }

  async postRaw(path: string, body: Json, options: CallOptions = {}): Promise<Json> {
    return await this.#write("POST", path, body, options);
  }

  /** Asks, and again where the server asks to come back later. */
  async #call(request: HttpRequest): Promise<Json> {
    const lateness = new AbortController();
    const late = lateness.signal;
    // Not by AbortSignal.timeout: nobody could end its timer, and each call would be remembered until then.
    using timer = systemClock.setTimeout(this.#timeout, () => lateness.abort());
    void timer;
    const signal = request.signal === undefined ? late : AbortSignal.any([request.signal, late]);
    for (let tries = 0; ; tries++) {
      try {
        return await readJson(await this.#send({ ...request, signal }));
      } catch (error) {
        request.signal?.throwIfAborted();
        if (late.aborted) throw new Unavailable(`no answer within ${this.#timeout} ms`, { cause: error });
        const seconds = retryAfter(error);
        if (seconds === undefined || tries >= MOST_RETRIES) throw error;
        await sleep(this.#clock, seconds * 1000, signal);
      }
    }
  }

  async #send(request: HttpRequest) {
    const headers = { "user-agent": this.#userAgent, accept: "application/json", "accept-encoding": "gzip" };
    const watching = request.path.includes("watch=true");
    // Bytes of a watch are wanted at once.
    const own = watching ? { "user-agent": this.#userAgent, accept: "application/json" } : headers;
    return await this.#connection.send({ ...request, headers: { ...own, ...request.headers } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection[Symbol.dispose]();
  }
}

function deletion({ signal, gracePeriodSeconds, propagationPolicy, preconditions, dryRun }: DeleteOptions) {
  const body = {
    apiVersion: "v1",
    kind: "DeleteOptions",
    gracePeriodSeconds,
    propagationPolicy,
    preconditions,
    ...(dryRun === true && { dryRun: ["All"] }),
  };
  return { signal, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

/** Only where the server has done nothing. */
function retryAfter(error: unknown): number | undefined {
  const status = error instanceof Error ? statusOf(error as Parameters<typeof statusOf>[0]) : undefined;
  if (status?.code !== 429 && status?.code !== 503) return undefined;
  return status.details?.retryAfterSeconds;
}

function eventOf<T>(line: Json): WatchEvent<T> {
  const type = textAt(line, "type");
  const object = isObject(line) ? line["object"] : undefined;
  if (type === "ERROR") throw statusError(object, Number(textAt(object, "code")) || 500);
  if (type === "BOOKMARK") return { type, resourceVersion: textAt(object, "metadata", "resourceVersion") };
  return { type: type as "ADDED", object: object as T };
}
