import { chainIds } from "@boxship/oci";
import type { BuildCache, CacheMountStore, CacheRecord, PruneCacheOptions } from "../contract.ts";
import type { BuilderParts } from "../solver/session.ts";
import type { StepRecord } from "./step-cache.ts";

/** The cache of a builder, as users see it: steps that left layers, and cache mounts. */
export function buildCache(parts: BuilderParts): BuildCache {
  return {
    list: () => listRecords(parts),
    prune: (options) => pruneRecords(parts, options ?? {}),
  };
}

/** The cache mounts of a builder, as users see them. */
export function cacheMountStore({ mounts }: Pick<BuilderParts, "mounts">): CacheMountStore {
  return {
    list: () =>
      Promise.all(
        mounts
          .list()
          .filter(({ copy }) => copy === 0)
          .map(async ({ key, id, created, used, uses }) => {
            const size = await mounts.size(key);
            return { id, size, inUse: mounts.isInUse(key), created, lastUsed: used, uses };
          }),
      ),
    export: (id) => mounts.export(id),
    import: async (id, archive, signal) => {
      await mounts.import(id, archive, signal);
    },
  };
}

async function listRecords(parts: BuilderParts): Promise<readonly CacheRecord[]> {
  const shared = sharedLayers(parts);
  const steps = parts.cache
    .list()
    .flatMap((step) => (step.layer === undefined ? [] : [stepRecord(parts, step, shared)]));
  const mounts = await Promise.all(
    parts.mounts.list().map(async ({ key, id, created, used, uses }): Promise<CacheRecord> => {
      return {
        id: key.slice(0, 25),
        kind: "exec.cachemount",
        parents: [],
        description: `cached mount ${id}`,
        inUse: parts.mounts.isInUse(key),
        shared: false,
        size: await parts.mounts.size(key),
        created,
        lastUsed: used,
        uses,
      };
    }),
  );
  return [...steps, ...mounts];
}

/** Chain ids of layers that images have. */
function sharedLayers(parts: BuilderParts): ReadonlySet<string> {
  const { images } = parts.engine;
  return new Set(images.store.list().flatMap(({ config }) => chainIds(config.rootfs.diff_ids)));
}

function stepRecord({ cache }: BuilderParts, step: StepRecord, shared: ReadonlySet<string>): CacheRecord {
  const { key, parent, text, layer, made, used, uses } = step;
  const parents = parent !== undefined && cache.get(parent) !== undefined ? [parent.slice(0, 25)] : [];
  return {
    id: key.slice(0, 25),
    kind: "regular",
    parents,
    description: text,
    inUse: cache.isInUse(key),
    shared: layer !== undefined && shared.has(layer.chainId),
    size: layer?.size ?? 0,
    created: made,
    lastUsed: used,
    uses,
  };
}

async function pruneRecords(
  parts: BuilderParts,
  options: PruneCacheOptions,
): Promise<{ readonly removed: readonly CacheRecord[]; readonly reclaimed: number }> {
  const { keepBytes = 0, olderThan = 0, all = false, matches = () => true } = options;
  const records = await listRecords(parts);
  const before = parts.engine.clock.now() - olderThan;
  const candidates = records
    .filter((record) => !record.inUse && record.lastUsed <= before && matches(record))
    .filter((record) => all || !record.shared)
    .sort((a, b) => a.lastUsed - b.lastUsed);
  let kept = records.reduce((sum, { size }) => sum + size, 0);
  const removed: CacheRecord[] = [];
  for (const record of candidates) {
    if (keepBytes > 0 && kept <= keepBytes) break;
    if (!(await remove(parts, record))) continue;
    removed.push(record);
    kept -= record.size;
  }
  if (options.matches === undefined && keepBytes === 0 && olderThan === 0) forgetMetadata(parts, all);
  await parts.cache.flush();
  await parts.engine.images.sweep();
  const reclaimed = removed.reduce((sum, { size, shared }) => sum + (shared ? 0 : size), 0);
  return { removed, reclaimed };
}

async function remove(parts: BuilderParts, record: CacheRecord): Promise<boolean> {
  if (record.kind === "exec.cachemount") {
    const mount = parts.mounts.list().find(({ key }) => key.startsWith(record.id));
    return mount !== undefined && (await parts.mounts.remove(mount.key));
  }
  const step = parts.cache.list().find(({ key }) => key.startsWith(record.id));
  if (step === undefined || parts.cache.isInUse(step.key)) return false;
  parts.cache.remove(step.key);
  return true;
}

/** Records without a layer cost next to nothing; they go when everything does. */
function forgetMetadata({ cache }: BuilderParts, all: boolean): void {
  if (!all) return;
  for (const { key, layer } of cache.list()) if (layer === undefined && !cache.isInUse(key)) cache.remove(key);
  cache.forgetFacts();
}
