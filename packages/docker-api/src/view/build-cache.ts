import type { BuildCacheRecord } from "../build-door.ts";

/** A record of the build cache as `/system/df` shows it. */
export function encodeBuildCache(record: BuildCacheRecord, version: number): Readonly<Record<string, unknown>> {
  const { id, kind, parents, description, inUse, shared, size, created, lastUsed, uses } = record;
  return {
    ID: id,
    ...(version < 42 ? { Parent: parents[0] ?? "" } : parents.length === 0 ? {} : { Parents: parents }),
    Type: kind,
    Description: description,
    InUse: inUse,
    Shared: shared,
    Size: size,
    CreatedAt: new Date(created).toISOString(),
    LastUsedAt: new Date(lastUsed).toISOString(),
    UsageCount: uses,
  };
}
