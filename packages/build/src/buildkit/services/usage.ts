import type { BuildCache, CacheRecord, PruneCacheOptions } from "../../contract.ts";
import type { ContextStore } from "../session/context-store.ts";
import { timestamp } from "../wire/common.ts";
import type { UsageRecord } from "../wire/control.ts";
import type { Init, ValueOf } from "../wire/message.ts";
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
    const { olderThan = 0, matches } = options;
    const before = Date.now() - olderThan;
    const contexts: CacheRecord[] = [];
    for (const record of await this.#contexts.list()) {
      const meant = !record.inUse && record.lastUsed <= before && (matches === undefined || matches(record));
      // Within the space that is to be kept they are the cheapest to have again.
      if (meant && (await this.#contexts.remove(record.id))) contexts.push(record);
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
