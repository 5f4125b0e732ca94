import { type KubeObject, statusOf } from "@boxship/api";
import { BoxshipError, type Clock, type Logger, sleep, systemClock } from "@boxship/base";
import { Backoff } from "../backoff.ts";
import type { ApiClient, Collection, WatchEvent } from "../contract.ts";
import { freeze } from "./freeze.ts";
import { type Indexer, keyOf, ObjectIndex } from "./object-index.ts";
import { shareObject } from "./shared-objects.ts";

export interface InformerOptions<T> {
  readonly client: ApiClient;
  readonly collection: Collection;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** By name. @default none */
  readonly indexers?: Readonly<Record<string, Indexer<T>>>;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Objects in one answer of the first list. @default 500 */
  readonly pageSize?: number;
}

export interface InformerHandler<T> {
  /** Also of each object that is there already. */
  added?(object: T): void;
  updated?(object: T, before: T): void;
  /** As it was known last: of what went while nobody watched, that is not how it ended. */
  deleted?(object: T): void;
}

/** Seconds, at random between the two, after which a watch is begun anew: the load spreads over several servers. */
const WATCH_SECONDS = [300, 600] as const;

/**
 * A copy of a collection that follows the server. It lists once and watches from there; a watch that breaks goes on from
 * the last version that was seen, and only when the server no longer has that, the collection is listed again.
 *
 * Its objects are frozen, without `managedFields`, and the same ones that others in this process have: who wants to change one
 * makes a copy. The version that the server names by a bookmark counts,
 * too, so that a quiet collection does not fall behind.
 */
export class Informer<T extends KubeObject> implements AsyncDisposable {
  /** Resolves when what was there at the start is known. Never rejects: the server is waited for. */
  readonly synced: Promise<void>;
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #index: ObjectIndex<T>;
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #ending = new AbortController();
  readonly #settleSynced: () => void;
  /** Who waits for something to become true of what is known. */
  readonly #waiting = new Set<() => void>();
  #hasSynced = false;
  #version = "";
  #running: Promise<void> | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#index = new ObjectIndex(options.indexers);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#settleSynced = resolve;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The newest version that is known of; empty before the first list. */
  get version(): string {
    return this.#version;
  }

  /** Resolves when the condition holds for what is known, looked at after each change, or when the informer ends. */
  async until(condition: () => boolean): Promise<void> {
    while (!this.#ending.signal.aborted && !condition()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  #reached(version: string): string {
    this.#version = version;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    return version;
  }

  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  /** @param key `namespace/name`, or `name` */
  get(key: string): T | undefined {
    return this.#index.get(key);
  }

  all(): IterableIterator<T> {
    return this.#index.all();
  }

  find(index: string, value: string): readonly T[] {
    return this.#index.find(index, value);
  }

  /** Hears of what is there, at once, and of each change from now on. */
  handle(handler: InformerHandler<T>): Disposable {
    this.#handlers.add(handler);
    for (const object of this.#index.all()) handler.added?.(object);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const backoff = new Backoff({ base: 800, most: 30_000, jitter: 1 });
    let version: string | undefined;
    while (!signal.aborted) {
      try {
        version ??= this.#reached(await this.#list());
        backoff.reset();
        for await (const event of this.#watch(version)) {
          version = this.#reached(event.type === "BOOKMARK" ? event.resourceVersion : this.#take(event));
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error)) version = undefined;
        else await this.#waitAfter(error, backoff);
      }
    }
  }

  async #waitAfter(failure: unknown, backoff: Backoff): Promise<void> {
    const { collection, logger } = this.#options;
    logger.warn("following a collection failed and will be tried again", {
      resource: collection.resource,
      error: failure,
    });
    await sleep(this.#clock, backoff.next(), this.#ending.signal).catch(() => {});
  }

  /** @returns the version that a watch goes on from */
  async #list(): Promise<string> {
    const { client, collection, labelSelector, fieldSelector, pageSize = 500 } = this.#options;
    const options = {
      limit: pageSize,
      signal: this.#ending.signal,
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    const found = new Map<string, T>();
    let page = await client.list<T>(collection, options);
    for (;;) {
      for (const object of page.items) found.set(keyOf(object), shareObject(object));
      if (page.continue === undefined) break;
      page = await client.list<T>(collection, { ...options, continue: page.continue });
    }
    for (const key of [...this.#index.keys()]) if (!found.has(key)) this.#remove(key);
    for (const [key, object] of found) this.#put(key, object);
    this.#hasSynced = true;
    this.#settleSynced();
    return page.resourceVersion;
  }

  #watch(resourceVersion: string): AsyncIterable<WatchEvent<T>> {
    const { client, collection, labelSelector, fieldSelector } = this.#options;
    const [least, most] = WATCH_SECONDS;
    return client.watch<T>(collection, {
      resourceVersion,
      bookmarks: true,
      isShared: true,
      timeoutSeconds: Math.round(least + Math.random() * (most - least)),
      signal: this.#ending.signal,
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    });
  }

  /** @returns the object's version */
  #take(event: Exclude<WatchEvent<T>, { readonly type: "BOOKMARK" }>): string {
    const { type, object } = event;
    const key = keyOf(object);
    if (type === "DELETED") this.#remove(key, freeze(object));
    else this.#put(key, shareObject(object));
    return object.metadata.resourceVersion ?? "";
  }

  #put(key: string, object: T): void {
    const before = this.#index.get(key);
    // Seen before: a list after a watch was lost has mostly these.
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion && before !== undefined) return;
    this.#index.set(key, object);
    const isSame = before?.metadata.uid === object.metadata.uid;
    for (const handler of this.#handlers) {
      if (before !== undefined && isSame) handler.updated?.(object, before);
      else {
        // Another object of the same name: the first one went meanwhile.
        if (before !== undefined) handler.deleted?.(before);
        handler.added?.(object);
      }
    }
  }

  #remove(key: string, last = this.#index.get(key)): void {
    if (this.#index.get(key) === undefined || last === undefined) return;
    this.#index.delete(key);
    for (const handler of this.#handlers) handler.deleted?.(last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new DOMException("the informer has ended", "AbortError"));
    this.#reached(this.#version);
    await this.#running;
  }
}

function isExpired(error: unknown): boolean {
  const reason = error instanceof BoxshipError ? statusOf(error)?.reason : undefined;
  return reason === "Expired" || reason === "Gone";
}
