import { tooOld } from "@boxship/api";
import { SortedKeys } from "@boxship/store";
import { CachedObject } from "./cached-object.ts";
import type { Change } from "./change.ts";

/** Changes that are kept for watches that come back; older ones are read from the store. */
const KEPT_CHANGES = 2000;

export interface ChangeListener {
  /** In the order of revisions. Must not throw. */
  changed(change: Change): void;
  /** Nothing more will be told: changes were missed, or the server ends. */
  ended(): void;
}

/** All objects of one resource as of the newest revision that was told, and the last changes. */
export class ResourceCache {
  readonly #objects = new Map<string, CachedObject>();
  readonly #keys = new SortedKeys();
  readonly #changes: Change[] = [];
  readonly #listeners = new Set<ChangeListener>();
  readonly #watchers = new Map<string, number>();
  #bytes = 0;
  /** Changes after this revision are all in the list. */
  #changesFrom: number;
  #lastChange: number;

  constructor(objects: readonly CachedObject[], revision: number) {
    for (const object of objects) {
      this.#objects.set(object.key, object);
      this.#keys.add(object.key);
      this.#bytes += object.bytes.length;
    }
    this.#changesFrom = revision;
    this.#lastChange = revision;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Of all objects together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many watch the keys of a prefix, and no others. */
  watchers(prefix: string): number {
    return this.#watchers.get(prefix) ?? 0;
  }

  /** The revision of the last change, or of its beginning: what is listed is the same at any later one. */
  get lastChange(): number {
    return this.#lastChange;
  }

  get changesFrom(): number {
    return this.#changesFrom;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** In the order of their keys; at most so many. */
  *between(start: string, end: string, most = Number.POSITIVE_INFINITY): Generator<CachedObject> {
    for (const key of this.#keys.between(start, end, most)) {
      const object = this.#objects.get(key);
      if (object !== undefined) yield object;
    }
  }

  /** How many {@link between} has. */
  count(start: string, end: string): number {
    return this.#keys.count(start, end);
  }

  /** Changes after a revision. @throws Expired for one before those that are kept */
  since(revision: number): readonly Change[] {
    if (revision < this.#changesFrom) throw tooOld(revision, this.#changesFrom);
    let [low, high] = [0, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#changes.slice(low);
  }

  /** @param watched the prefix of the keys that a client watches. @default it is no client's watch */
  listen(listener: ChangeListener, watched?: string): Disposable {
    this.#listeners.add(listener);
    if (watched !== undefined) this.#watch(watched, 1);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(listener) && watched !== undefined) this.#watch(watched, -1);
      },
    };
  }

  #watch(prefix: string, more: number): void {
    const count = this.watchers(prefix) + more;
    if (count === 0) this.#watchers.delete(prefix);
    else this.#watchers.set(prefix, count);
  }

  /** Tells all listeners that it ends here. */
  end(): void {
    for (const listener of this.#listeners) listener.ended();
    this.#listeners.clear();
    this.#watchers.clear();
  }

  put(object: CachedObject): void {
    const previous = this.#objects.get(object.key);
    this.#objects.set(object.key, object);
    this.#bytes += object.bytes.length - (previous?.bytes.length ?? 0);
    if (previous === undefined) this.#keys.add(object.key);
    const { key, revision } = object;
    this.#tell({ key, revision, object, deleted: false, ...(previous === undefined ? {} : { previous }) });
    object.forgetSource();
  }

  /** @param last the object as it was, with the revision of its deletion */
  delete(last: CachedObject): void {
    const previous = this.#objects.get(last.key);
    if (previous === undefined) return;
    this.#objects.delete(last.key);
    this.#bytes -= previous.bytes.length;
    this.#keys.delete(last.key);
    this.#tell({ key: last.key, revision: last.revision, object: last, deleted: true, previous });
  }

  #tell(change: Change): void {
    this.#lastChange = change.revision;
    this.#changes.push(change);
    if (this.#changes.length > KEPT_CHANGES * 1.25) {
      const dropped = this.#changes.splice(0, this.#changes.length - KEPT_CHANGES);
      this.#changesFrom = dropped.at(-1)?.revision ?? this.#changesFrom;
    }
    for (const listener of this.#listeners) listener.changed(change);
  }
}
