import { alreadyExists, failure, isStored, type Kind, type KubeObject } from "@boxship/api";
import { type Clock, KeyedMutex, type Logger, sleep } from "@boxship/base";
import { Compacted, type KeyValue, prefixRange, type Store, type WatchBatch, type WatchEvent } from "@boxship/store";
import type { Versions } from "../conversion/versions.ts";
import { CachedObject } from "./cached-object.ts";
import {
  collectionOf,
  encodeObject,
  LARGEST_OBJECT,
  objectKey,
  sourceOf,
  tooLarge,
  withRevision,
} from "./object-bytes.ts";
import { RecentObjects } from "./recent-objects.ts";
import { ResourceCache } from "./resource-cache.ts";
import type { ValueCodec } from "./value-codec.ts";

export interface ObjectStoreOptions {
  /** Stays the caller's. */
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How a resource's values are kept. */
  codecFor(collection: string): ValueCodec;
  readonly versions: Versions;
}

/** Objects of one page are loaded at a time. */
const LOADED_AT_ONCE = 5000;
const RETRY_MS = 200;
/** How long a read may wait for a revision that has not been told yet. */
const PATIENCE_MS = 3000;

interface Loading {
  readonly cache: Promise<ResourceCache>;
  /** What was told while it was read. */
  readonly told: WatchEvent[];
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

/**
 * Objects over the store. Lists and watches come from memory, which one watch of the whole store keeps: a resource is
 * loaded when it is first listed or watched. Single ones are read from the store, or come from memory where that is as new
 * as anything that anybody has seen.
 */
export class ObjectStore implements AsyncDisposable {
  /** By key of the object: who was too slow tries again when the others that were are done, so that each has its turn. */
  readonly retries = new KeyedMutex();
  readonly #options: ObjectStoreOptions;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #loading = new Map<string, Loading>();
  readonly #recent = new RecentObjects();
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #waiters: Waiter[] = [];
  #told: number;
  /** The newest revision that was written here. */
  #wrote = 0;
  #onTold: (revision: number) => void = () => {};
  readonly #onChanged = new Set<(keys: readonly string[]) => void>();

  private constructor(options: ObjectStoreOptions, revision: number) {
    this.#options = options;
    this.#told = revision;
    this.#loop = this.#follow();
  }

  static async open(options: ObjectStoreOptions): Promise<ObjectStore> {
    const { revision } = await options.store.range({ start: "/registry" });
    return new ObjectStore(options, revision);
  }

  /** Called with every revision that is told. */
  onTold(callback: (revision: number) => void): void {
    this.#onTold = callback;
  }

  /** Calls with the keys of all that has changed, of whichever resource. */
  onChanged(callback: (keys: readonly string[]) => void): Disposable {
    this.#onChanged.add(callback);
    return { [Symbol.dispose]: () => void this.#onChanged.delete(callback) };
  }

  get versions(): Versions {
    return this.#options.versions;
  }

  /** The newest revision that lists and watches know of. */
  get told(): number {
    return this.#told;
  }

  /** An object as it is now; without waiting where it is in memory. */
  get(kind: Kind, namespace: string, name: string): CachedObject | undefined | Promise<CachedObject | undefined> {
    const key = objectKey(kind, namespace, name);
    const { seenRevision = Number.POSITIVE_INFINITY } = this.#options.store;
    if (seenRevision > this.#told) return this.#readOne(kind, key);
    const object = this.#caches.get(objectKey(kind))?.get(key) ?? this.#recent.get(key);
    return object === undefined ? this.#readOne(kind, key) : this.versions.presentOne(kind, object);
  }

  async #readOne(kind: Kind, key: string): Promise<CachedObject | undefined> {
    const { items, revision } = await this.#options.store.range({ start: key });
    if (items[0] === undefined) return undefined;
    const object = this.#cached(items[0]);
    // What has been told of later is not told again.
    if (this.#options.store.seenRevision !== undefined && revision >= this.#told)
      this.#recent.keep(object.forgetSource());
    return await this.versions.presentOne(kind, object);
  }

  /**
   * From memory where that is as new as all that was written here; otherwise as {@link get}. With other servers over the same
   * store it may be older than what they have acknowledged: for what is looked at before every write.
   */
  async recent(kind: Kind, namespace: string, name: string): Promise<CachedObject | undefined> {
    const cache = isStored(kind) ? await this.cache(kind) : undefined;
    const known = this.#wrote > this.#told ? undefined : cache?.get(objectKey(kind, namespace, name));
    return known ?? (await this.get(kind, namespace, name));
  }

  /**
   * @param lease ends the object with the lease's time; 0: none
   * @throws AlreadyExists
   */
  async create(kind: Kind, object: KubeObject, lease = 0): Promise<CachedObject> {
    const { name = "", namespace } = object.metadata;
    const key = objectKey(kind, namespace, name);
    const value = encodeObject(await this.versions.toStored(kind, object));
    if (value.length > LARGEST_OBJECT) throw tooLarge(value.length);
    const sealed = this.#codec(key).seal(key, value);
    const { succeeded, revision } = await this.#options.store.transact({
      compare: [{ key, target: "createRevision", value: 0 }],
      success: [{ kind: "put", key, value: sealed, lease }],
    });
    if (!succeeded) throw alreadyExists(kind, name);
    return await this.#written(kind, new CachedObject(key, withRevision(value, revision), revision));
  }

  /** @returns undefined where the object is no longer the one of `expected` */
  async update(kind: Kind, object: KubeObject, expected: number): Promise<CachedObject | undefined> {
    const key = objectKey(kind, object.metadata.namespace, object.metadata.name);
    const value = encodeObject(await this.versions.toStored(kind, object));
    if (value.length > LARGEST_OBJECT) await this.#checkGrowth(kind, object, value.length);
    const { succeeded, revision } = await this.#options.store.transact({
      compare: [{ key, target: "modRevision", value: expected }],
      success: [{ kind: "put", key, value: this.#codec(key).seal(key, value) }],
    });
    if (!succeeded) return undefined;
    return await this.#written(kind, new CachedObject(key, withRevision(value, revision), revision));
  }

  /** What is too large already may become smaller. @throws RequestEntityTooLarge */
  async #checkGrowth(kind: Kind, { metadata: { namespace = "", name = "" } }: KubeObject, size: number): Promise<void> {
    const before = await this.get(kind, namespace, name);
    if (before === undefined || size > before.bytes.length) throw tooLarge(size);
  }

  /** What a client has written is shown to it as it lies in the store. */
  async #written(kind: Kind, object: CachedObject): Promise<CachedObject> {
    this.#wrote = Math.max(this.#wrote, object.revision);
    return isStored(kind) ? object : await this.versions.presentOne(kind, object);
  }

  /** @returns the deletion's revision; undefined where the object is no longer the one of `expected` */
  async delete(key: string, expected: number): Promise<number | undefined> {
    const { succeeded, revision } = await this.#options.store.transact({
      compare: [{ key, target: "modRevision", value: expected }],
      success: [{ kind: "delete", range: { start: key } }],
    });
    if (succeeded) this.#wrote = Math.max(this.#wrote, revision);
    return succeeded ? revision : undefined;
  }

  /** Objects of a range at a revision, from the store. @throws Expired */
  async readAt(
    range: { readonly start: string; readonly end: string },
    options: { readonly revision: number; readonly limit: number },
  ) {
    const { items, more, count } = await this.#options.store.range(range, options);
    return { objects: items.map((item) => this.#cached(item)), more, count };
  }

  /** The resource's cache, as new as anything that was acknowledged before the call. */
  async freshCache(kind: Kind): Promise<ResourceCache> {
    const { revision } = await this.#options.store.range({ start: "/registry" });
    const cache = await this.cache(kind);
    await this.waitFor(revision);
    return cache;
  }

  /** The resource's cache where it is loaded. */
  loadedCache(kind: Kind): ResourceCache | undefined {
    return this.#caches.get(objectKey(kind));
  }

  /** The resource's cache as it is. */
  async cache(kind: Kind): Promise<ResourceCache> {
    const collection = objectKey(kind);
    return this.#caches.get(collection) ?? (await this.#load(collection));
  }

  /** @throws Timeout for a revision that does not come */
  async waitFor(revision: number): Promise<void> {
    if (revision <= this.#told) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ revision, resolve });
    using timer = this.#options.clock.setTimeout(PATIENCE_MS, resolve);
    void timer;
    await promise;
    if (revision > this.#told) {
      throw failure("Timeout", `Too large resource version: ${revision}, current: ${this.#told}`, {
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        retryAfterSeconds: 1,
      });
    }
  }

  /**
   * Changes of a resource from a revision on, read from the store, for watches that come back late; where it is quiet it tells how far
   * it is.
   */
  history(kind: Kind, from: number) {
    return this.#options.store.watch(prefixRange(objectKey(kind)), { from, previous: true, progress: 1 });
  }

  cachedOf(item: KeyValue): CachedObject {
    return this.#cached(item);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    for (const cache of this.#caches.values()) cache.end();
    await this.#loop;
  }

  #codec(key: string): ValueCodec {
    return this.#options.codecFor(collectionOf(key) ?? "");
  }

  #cached({ key, value, modRevision }: KeyValue): CachedObject {
    const stored = this.#codec(key).open(key, value);
    return new CachedObject(key, withRevision(stored, modRevision), modRevision, undefined, sourceOf(stored));
  }

  #load(collection: string): Promise<ResourceCache> {
    const running = this.#loading.get(collection);
    if (running !== undefined) return running.cache;
    const told: WatchEvent[] = [];
    const cache = this.#read(collection, told).finally(() => this.#loading.delete(collection));
    this.#loading.set(collection, { cache, told });
    return cache;
  }

  async #read(collection: string, told: readonly WatchEvent[]): Promise<ResourceCache> {
    const { start, end = "" } = prefixRange(collection);
    const objects: CachedObject[] = [];
    let at: number | undefined;
    for (let from = start; ; ) {
      const page = await this.#options.store.range(
        { start: from, end },
        { limit: LOADED_AT_ONCE, ...(at === undefined ? {} : { revision: at }) },
      );
      at ??= page.revision;
      for (const item of page.items) objects.push(this.#cached(item));
      const last = page.items.at(-1);
      if (!page.more || last === undefined) break;
      from = `${last.key}\0`;
    }
    const cache = new ResourceCache(objects, at);
    this.#caches.set(collection, cache);
    for (const event of told) this.#apply(cache, event);
    return cache;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await this.#followOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn("the watch of the store ended; it is begun again", { error });
        if (error instanceof Compacted) await this.#startOver();
        await sleep(this.#options.clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #followOnce(signal: AbortSignal): Promise<void> {
    await using watch = this.#options.store.watch({ start: "", end: "" }, { from: this.#told + 1 });
    const stop = () => void watch[Symbol.asyncDispose]();
    signal.addEventListener("abort", stop, { once: true });
    using _ = { [Symbol.dispose]: () => signal.removeEventListener("abort", stop) };
    for await (const batch of watch) this.#tell(batch);
  }

  /** Changes were missed: what is in memory is worth nothing, and who watches has to list again. */
  async #startOver(): Promise<void> {
    for (const cache of this.#caches.values()) cache.end();
    this.#caches.clear();
    this.#recent.clear();
    const { revision } = await this.#options.store.range({ start: "/registry" });
    this.#told = revision;
  }

  #tell({ revision, events }: WatchBatch): void {
    for (const event of events) {
      const key = event.kind === "put" ? event.item.key : event.key;
      const collection = collectionOf(key);
      if (collection === undefined) continue;
      this.#recent.changed(key, revision);
      const cache = this.#caches.get(collection);
      if (cache !== undefined) this.#apply(cache, event);
      else this.#loading.get(collection)?.told.push(event);
    }
    this.#told = Math.max(this.#told, revision);
    if (events.length > 0) this.#onTold(revision);
    if (events.length > 0 && this.#onChanged.size > 0) {
      const keys = events.map((event) => (event.kind === "put" ? event.item.key : event.key));
      for (const callback of this.#onChanged) callback(keys);
    }
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.revision <= this.#told);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#told);
    for (const { resolve } of due) resolve();
  }

  #apply(cache: ResourceCache, event: WatchEvent): void {
    if (event.kind === "put") {
      if (event.item.modRevision > cache.changesFrom) cache.put(this.#cached(event.item));
      return;
    }
    const last = cache.get(event.key);
    if (last === undefined || event.modRevision <= cache.changesFrom) return;
    cache.delete(new CachedObject(event.key, replaceRevision(last.bytes, event.modRevision), event.modRevision));
  }
}

const REVISION = Buffer.from('"metadata":{"resourceVersion":"');

/** The bytes of an object as clients see it, with another revision. */
export function replaceRevision(bytes: Buffer, revision: number): Buffer {
  const start = bytes.indexOf(REVISION) + REVISION.length;
  const end = bytes.indexOf('"', start);
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(String(revision)), bytes.subarray(end)]);
}
