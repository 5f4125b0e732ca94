import { errorMessage } from "@boxship/base";
import { type ContentStore, type Descriptor, diffIdOf, type Lease, type StoredLayer } from "@boxship/oci";
import type { CacheContent, CachedStep } from "./cache-document.ts";
import type { StepCache, StepRecord } from "./step-cache.ts";

/** A layer that was counted on cannot be had. The stage that needs it is built again without it. */
export class LayersLost extends Error {
  override readonly name = "LayersLost";
}

/** A cache that was read, and how its blobs come here. */
export interface CacheSource {
  /** For messages. */
  readonly name: string;
  readonly content: CacheContent;
  /** Brings a blob into the content store, verified. */
  readonly fetch: (blob: Descriptor, signal: AbortSignal) => Promise<unknown>;
}

interface Known {
  readonly step: CachedStep;
  readonly source: CacheSource;
}

/**
 * The steps of caches that a build imports. Their layers come here when they are needed, and not before: a stage of
 * which nothing but a known part is copied is never fetched. What was fetched becomes part of the builder's own cache.
 *
 * Layers are named by their diff ids here: a blob may be compressed in more than one way.
 */
export class ImportedCache {
  readonly #store: ContentStore;
  readonly #lease: Lease;
  readonly #cache: StepCache;
  readonly #now: () => number;
  readonly #signal: AbortSignal;
  readonly #warn: (message: string) => void;
  readonly #steps = new Map<string, Known>();
  readonly #facts = new Map<string, unknown>();
  /** By diff id. */
  readonly #fetches = new Map<string, Promise<void>>();
  readonly #lost = new Set<string>();
  /** Records that were used and are not the builder's own yet, by diff id. */
  readonly #used = new Map<string, Known[]>();

  constructor(options: {
    readonly store: ContentStore;
    readonly lease: Lease;
    readonly cache: StepCache;
    readonly now: () => number;
    readonly signal: AbortSignal;
    readonly warn: (message: string) => void;
  }) {
    this.#store = options.store;
    this.#lease = options.lease;
    this.#cache = options.cache;
    this.#now = options.now;
    this.#signal = options.signal;
    this.#warn = options.warn;
  }

  /** The first cache that knows a step is asked for it. */
  add(source: CacheSource): void {
    for (const step of source.content.steps) {
      const { key } = step.record;
      const known = this.#steps.get(key);
      // One that has the layer goes before one that only knows of it.
      if (known === undefined || (known.step.blob === undefined && step.blob !== undefined)) {
        this.#steps.set(key, { step, source });
      }
    }
    for (const [key, value] of Object.entries(source.content.facts)) this.#facts.set(key, value);
  }

  fact(key: string): unknown {
    return this.#facts.get(key);
  }

  /** A step that a cache has; its layer may turn out to be lost. */
  find(key: string): StepRecord | undefined {
    const known = this.#steps.get(key);
    if (known === undefined) return undefined;
    const now = this.#now();
    const record: StepRecord = { ...known.step.record, made: now, used: now, uses: 1 };
    if (record.layer === undefined) {
      this.#cache.put(record);
      return record;
    }
    const { diffId } = record.layer;
    if (this.#lost.has(diffId)) return undefined;
    this.#used.set(diffId, [...(this.#used.get(diffId) ?? []), known]);
    return record;
  }

  /** Whether a layer was counted on and turned out to be lost. */
  hasLost(layers: readonly StoredLayer[]): boolean {
    return this.#lost.size > 0 && layers.some(({ diffId }) => this.#lost.has(diffId));
  }

  /** Makes sure that the blobs of layers are here. @throws LayersLost */
  async fetch(layers: readonly StoredLayer[]): Promise<void> {
    if (this.#used.size === 0) return;
    const wanted = layers.filter(({ diffId }) => this.#used.has(diffId) || this.#lost.has(diffId));
    const results = await Promise.allSettled(
      wanted.map((layer) => {
        let fetching = this.#fetches.get(layer.diffId);
        if (fetching === undefined) this.#fetches.set(layer.diffId, (fetching = this.#fetchOne(layer)));
        return fetching;
      }),
    );
    this.#signal.throwIfAborted();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #fetchOne({ descriptor, diffId }: StoredLayer): Promise<void> {
    const known = this.#used.get(diffId) ?? [];
    const source = known.find(({ step }) => step.blob?.digest === descriptor.digest);
    try {
      this.#lease.add(descriptor.digest);
      if ((await this.#store.stat(descriptor.digest)) === undefined) {
        if (source?.step.blob === undefined) throw new LayersLost(`layer ${diffId} is in none of the caches`);
        await source.source.fetch(source.step.blob, this.#signal);
        const actual = await diffIdOf(this.#store, descriptor, this.#signal);
        if (actual !== diffId) {
          await this.#store.delete(descriptor.digest);
          throw new LayersLost(`blob ${descriptor.digest} holds another layer than the cache says`);
        }
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#lost.add(diffId);
      if (source !== undefined) this.#warn(`cache ${source.source.name}: ${errorMessage(error)}`);
      throw error instanceof LayersLost ? error : new LayersLost(errorMessage(error), { cause: error });
    }
    const now = this.#now();
    for (const { step } of known) this.#cache.put({ ...step.record, made: now, used: now, uses: 1 });
  }
}
