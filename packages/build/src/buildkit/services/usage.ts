import { type Init, timestamp, type ValueOf } from "@boxship/grpc";
import type { BuildCache, CacheRecord, PruneCacheOptions } from "../../contract.ts";
import type { ContextStore } from "../session/context-store.ts";
import type { UsageRecord } from "../wire/control.ts";
import { isMutable } from "./usage-filter.ts";

/** The solver's cache and the clients' directories that are kept here, as one. */
export class WholeCache implements BuildCache {
  readonly #cache: BuildCache;
  readonly #contexts: ContextStore;

  constructor(cache: BuildCache, contexts: ContextStore) {
    this.#cache = cache;
    this.#contexts = contexts;
  }

  async list(): Promise<readonly CacheRecord[]> {
    const [steps, contexts] = await Promise.all([this.#cache.list(), this.#contexts.list()]);
    return [...steps, ...contexts];
  }

  async prune(
    options: PruneCacheOptions = {},
  ): Promise<{ readonly removed: readonly CacheRecord[]; readonly reclaimed: number }> {
    const { olderThan = 0, keepBytes = 0, matches } = options;
    const before = Date.now() - olderThan;
    const contexts: CacheRecord[] = [];
    const all = await this.list();
    let surplus = all.reduce((sum, { size }) => sum + size, -keepBytes);
    // They are the cheapest to have again, and go first.
    for (const record of (await this.#contexts.list()).toSorted((a, b) => a.lastUsed - b.lastUsed)) {
      const meant = !record.inUse && record.lastUsed <= before && (matches === undefined || matches(record));
      if (!meant || (keepBytes > 0 && surplus <= 0) || !(await this.#contexts.remove(record.id))) continue;
      surplus -= record.size;
      contexts.push(record);
    }
    const { removed, reclaimed } = await this.#cache.prune(options);
    return {
      removed: [...contexts, ...removed],
      reclaimed: contexts.reduce((sum, { size }) => sum + size, reclaimed),
    };
  }
}

export function usageRecord(record: CacheRecord): Init<ValueOf<typeof UsageRecord>> {
  return {
    id: record.id,
    mutable: isMutable(record),
    inUse: record.inUse,
    size: record.size,
    createdAt: timestamp(record.created),
    lastUsedAt: timestamp(record.lastUsed),
    usageCount: record.uses,
    description: record.description,
    recordType: record.kind,
    shared: record.shared,
    parents: record.parents,
  };
}
