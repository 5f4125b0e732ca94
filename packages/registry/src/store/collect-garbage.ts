import { type Clock, systemClock } from "@boxship/base";
import type { Digest } from "@boxship/oci";
import type { KeyValue, Store } from "@boxship/store";
import type { BlobStore } from "../blobs/contract.ts";
import { digestOfKey, eachItem, repositoryOfKey } from "./index-walk.ts";
import { keys } from "./keys.ts";
import { type BlobRecord, decodeRecord, type ManifestRecord } from "./records.ts";

/** How long a blob may wait for the manifest that needs it. */
const GRACE = 60 * 60 * 1000;

export interface CollectOptions {
  readonly index: Store;
  readonly content: BlobStore;
  /** Removes what nobody needs from bytes that others use too. @default everything that no repository needs goes */
  readonly sweep?: () => Promise<Swept>;
  /** Milliseconds that something pushed stays although nothing needs it. @default one hour */
  readonly grace?: number;
  /** Also manifests that no tag, no index and no subject leads to. @default false */
  readonly untagged?: boolean;
  /** Only tells what would go. @default false */
  readonly dryRun?: boolean;
  /** Told of what a repository has no more, in bytes. */
  readonly onRemoved?: (repository: string, size: number) => void;
  readonly clock?: Clock;
}

export interface Swept {
  readonly blobs: number;
  readonly freed: number;
}

export interface Collected {
  readonly manifests: number;
  /** Blobs that a repository has no more. */
  readonly links: number;
  /** Blobs whose bytes are gone. */
  readonly blobs: number;
  /** Bytes that they took. */
  readonly freed: number;
}

/**
 * Removes what nothing needs, while everything goes on: what is young stays, what is looked up at the same moment is
 * leased, and a link goes only if it is still the one that was looked at.
 */
export async function collectGarbage(options: CollectOptions): Promise<Collected> {
  const { index, content, grace = GRACE, untagged = false, dryRun = false, clock = systemClock } = options;
  const before = clock.now() - grace;
  const manifests = untagged ? await removeUntagged({ ...options, before }) : 0;
  const needed = new Map<string, Set<Digest>>();
  for await (const item of eachItem(index, "manifest/")) {
    const { repository, digest } = split(item.key);
    const set = needed.get(repository) ?? new Set();
    needed.set(repository, set.add(digest));
    for (const need of (decodeRecord(item) as ManifestRecord).needs) set.add(need);
  }
  const kept = new Set<Digest>([...needed.values()].flatMap((set) => [...set]));
  let links = 0;
  for await (const item of eachItem(index, "blob/")) {
    const { repository, digest } = split(item.key);
    const { pushedAt, size } = decodeRecord(item) as BlobRecord;
    const idle = needed.get(repository)?.has(digest) !== true && pushedAt < before;
    if (!idle || !(dryRun || (await removeUnchanged(index, item)))) {
      kept.add(digest);
      continue;
    }
    links++;
    if (!dryRun) options.onRemoved?.(repository, size);
  }
  if (dryRun) return { manifests, links, blobs: 0, freed: 0 };
  return { manifests, links, ...(await (options.sweep ?? (() => sweepAll(content, kept, grace)))()) };
}

async function sweepAll(content: BlobStore, kept: ReadonlySet<Digest>, minAgeMs: number): Promise<Swept> {
  let [blobs, freed] = [0, 0];
  for (let complete = false; !complete; ) {
    const swept = await content.sweep((digest) => kept.has(digest), { minAgeMs });
    blobs += swept.removed;
    freed += swept.freed;
    ({ complete } = swept);
  }
  return { blobs, freed };
}

/** A manifest, its blob links and its tags stand in the same order, so that one pass of each is enough. */
export async function removeUntagged(
  options: Pick<CollectOptions, "index" | "dryRun" | "onRemoved"> & {
    /** Milliseconds since the epoch: what was pushed later stays. */
    readonly before: number;
    /** @default in all repositories */
    readonly within?: (repository: string) => boolean;
  },
): Promise<number> {
  const { index, before, dryRun = false, onRemoved, within = () => true } = options;
  const led = new Set<string>();
  for await (const item of eachItem(index, "tag/")) {
    led.add(`${repositoryOfKey(item.key)}@${(decodeRecord(item) as { digest: Digest }).digest}`);
  }
  const manifests: { readonly item: KeyValue; readonly name: string; readonly record: ManifestRecord }[] = [];
  for await (const item of eachItem(index, "manifest/")) {
    manifests.push({ item, name: item.key.slice("manifest/".length), record: decodeRecord(item) as ManifestRecord });
  }
  // What a kept one needs or is about is kept, and what is about a kept one.
  for (let grown = true; grown; ) {
    const size = led.size;
    for (const { name, record } of manifests) {
      const repository = repositoryOfKey(`manifest/${name}`);
      if (record.subject !== undefined && led.has(`${repository}@${record.subject}`)) led.add(name);
      if (led.has(name)) for (const need of record.needs) led.add(`${repository}@${need}`);
    }
    grown = led.size > size;
  }
  let removed = 0;
  for (const { item, name, record } of manifests) {
    const { repository, digest } = split(item.key);
    if (led.has(name) || record.pushedAt >= before || !within(repository)) continue;
    const referrer = record.subject === undefined ? [] : [keys.referrer(repository, record.subject, digest)];
    if (!dryRun && !(await removeUnchanged(index, item, referrer))) continue;
    removed++;
    if (!dryRun) onRemoved?.(repository, record.size);
  }
  return removed;
}

async function removeUnchanged(index: Store, { key, modRevision }: KeyValue, also: string[] = []): Promise<boolean> {
  const { succeeded } = await index.transact({
    compare: [{ key, target: "modRevision", value: modRevision }],
    success: [key, ...also].map((start) => ({ kind: "delete", range: { start } }) as const),
  });
  return succeeded;
}

function split(key: string): { readonly repository: string; readonly digest: Digest } {
  return { repository: repositoryOfKey(key), digest: digestOfKey(key) };
}
