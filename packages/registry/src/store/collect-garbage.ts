import { type Clock, systemClock } from "@boxship/base";
import type { Digest } from "@boxship/oci";
import type { KeyValue, Operation, Store } from "@boxship/store";
import type { BlobStore } from "../blobs/contract.ts";
import { digestOfKey, eachItem, repositoryOfKey } from "./index-walk.ts";
import { keys } from "./keys.ts";
import { type BlobRecord, decodeRecord, type ListedRecord, type ManifestRecord } from "./records.ts";
import type { RepositoryStore } from "./repository-store.ts";

/** How long a blob may wait for the manifest that needs it. */
const GRACE = 60 * 60 * 1000;

export interface CollectOptions {
  readonly index: Store;
  readonly content: BlobStore;
  /** Knows what was asked for lately, which stays. */
  readonly repositories: Pick<RepositoryStore, "neededSince" | "unlessNeeded">;
  /** Removes what nobody needs from bytes that others use too. @default everything that no repository needs goes */
  readonly sweep?: () => Promise<Swept>;
  /** Milliseconds that something pushed stays although nothing needs it. @default one hour */
  readonly grace?: number;
  /** Also manifests that no tag, no index and no subject leads to. @default false */
  readonly untagged?: boolean;
  /** Only tells what would go. @default false */
  readonly dryRun?: boolean;
  readonly watcher?: RemovalWatcher;
  readonly clock?: Clock;
}

/** Who is to know of what goes without a client's asking. */
export interface RemovalWatcher {
  /** What belongs into the transaction that removes it: of a tag, or of the digest of a manifest or blob. */
  operations(removed: {
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: Digest;
  }): readonly Operation[];
  /** It is gone, and with it so many bytes of the repository. */
  removed(repository: string, size: number): void;
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
 * Removes what nothing needs, while everything goes on: what is young stays, as does what was asked for lately, because
 * whoever finds a blob pushes a manifest that needs it; and a link goes only if it is still the one that was looked at.
 */
export async function collectGarbage(options: CollectOptions): Promise<Collected> {
  const {
    index,
    content,
    repositories,
    grace = GRACE,
    untagged = false,
    dryRun = false,
    clock = systemClock,
  } = options;
  const before = clock.now() - grace;
  const manifests = untagged ? await removeUntagged({ ...options, before }) : 0;
  const needed = new Map<string, Set<Digest>>();
  for await (const item of eachItem(index, "manifest/")) {
    const { repository, digest } = split(item.key);
    const set = needed.get(repository) ?? new Set();
    needed.set(repository, set.add(digest));
    for (const need of (decodeRecord(item) as ManifestRecord).needs) set.add(need);
  }
  if (!dryRun) await removeListed(index, needed, before);
  const kept = new Set<Digest>([...needed.values()].flatMap((set) => [...set]));
  let links = 0;
  for await (const item of eachItem(index, "blob/")) {
    const { repository, digest } = split(item.key);
    const { pushedAt, size } = decodeRecord(item) as BlobRecord;
    const young = pushedAt >= before || repositories.neededSince(digest, before);
    const idle = !young && needed.get(repository)?.has(digest) !== true;
    const remove = () => removeUnchanged(index, item, options.watcher?.operations({ repository, digest }));
    if (!idle || !(dryRun || (await repositories.unlessNeeded(digest, before, remove)))) {
      kept.add(digest);
      continue;
    }
    links++;
    if (!dryRun) options.watcher?.removed(repository, size);
  }
  const stays = (digest: Digest) => kept.has(digest) || repositories.neededSince(digest, before);
  if (dryRun) return { manifests, links, blobs: 0, freed: 0 };
  return { manifests, links, ...(await (options.sweep ?? (() => sweepAll(content, stays, grace)))()) };
}

/** What another registry told of manifests that are here no more. */
async function removeListed(
  index: Store,
  needed: ReadonlyMap<string, ReadonlySet<Digest>>,
  before: number,
): Promise<void> {
  for await (const item of eachItem(index, "listed/")) {
    const { repository, digest } = split(item.key);
    const idle = needed.get(repository)?.has(digest) !== true;
    if (idle && (decodeRecord(item) as ListedRecord).pushedAt < before) await removeUnchanged(index, item);
  }
}

async function sweepAll(content: BlobStore, stays: (digest: Digest) => boolean, minAgeMs: number): Promise<Swept> {
  let [blobs, freed] = [0, 0];
  for (let complete = false; !complete; ) {
    const swept = await content.sweep(stays, { minAgeMs });
    blobs += swept.removed;
    freed += swept.freed;
    ({ complete } = swept);
  }
  return { blobs, freed };
}

/** A manifest, its blob links and its tags stand in the same order, so that one pass of each is enough. */
export async function removeUntagged(
  options: Pick<CollectOptions, "index" | "dryRun" | "watcher" | "repositories"> & {
    /** Milliseconds since the epoch: what was pushed later stays. */
    readonly before: number;
    /** @default in all repositories */
    readonly within?: (repository: string) => boolean;
  },
): Promise<number> {
  const { index, before, dryRun = false, watcher, repositories, within = () => true } = options;
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
    const young = record.pushedAt >= before || repositories.neededSince(digest, before);
    if (led.has(name) || young || !within(repository)) continue;
    const { subject } = record;
    const referrer = subject === undefined ? [] : [deletion(keys.referrer(repository, subject, digest))];
    const remove = () =>
      removeUnchanged(index, item, [...referrer, ...(watcher?.operations({ repository, digest }) ?? [])]);
    if (!dryRun && !(await repositories.unlessNeeded(digest, before, remove))) continue;
    removed++;
    if (!dryRun) watcher?.removed(repository, record.size);
  }
  return removed;
}

/** Removes what is still as it was read, and does something else with it. @returns whether it was */
export async function removeUnchanged(
  index: Store,
  { key, modRevision }: Pick<KeyValue, "key" | "modRevision">,
  also: readonly Operation[] = [],
): Promise<boolean> {
  const { succeeded } = await index.transact({
    compare: [{ key, target: "modRevision", value: modRevision }],
    success: [deletion(key), ...also],
  });
  return succeeded;
}

function deletion(key: string): Operation {
  return { kind: "delete", range: { start: key } };
}

function split(key: string): { readonly repository: string; readonly digest: Digest } {
  return { repository: repositoryOfKey(key), digest: digestOfKey(key) };
}
