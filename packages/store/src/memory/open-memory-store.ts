import { type Clock, InvalidArgument, NotFound, systemClock } from "@boxship/base";
import { checkTransaction } from "../check-transaction.ts";
import { Compacted } from "../compacted.ts";
import type {
  Compare,
  KeyRange,
  KeyValue,
  Lease,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  Store,
  StoreStatus,
  Transaction,
  TransactionResult,
  Watch,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from "../contract.ts";
import { checkRange, compareKeys, inRange } from "../key-range.ts";
import { LeaseTimers } from "../lease-timers.ts";
import { satisfies } from "../satisfies.ts";
import { SortedKeys } from "../sorted-keys.ts";
import { keyOf, WatchHub, withoutPrevious } from "../watch-hub.ts";

export interface MemoryStoreOptions {
  /** Revisions that can be read besides the newest; older ones are compacted. @default all, until they are compacted */
  readonly keep?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Changes that one page of history has, at least. */
const PAGE = 1000;
const EMPTY = new Uint8Array(0);

/**
 * A store that is gone with its process: nothing of it is durable, and no other thread is asked. For what is made up
 * anew each time, as simulations are.
 */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #keep: number;
  readonly #hub: WatchHub;
  readonly #leases: LeaseTimers;
  readonly #live = new Map<string, KeyValue>();
  readonly #keys = new SortedKeys();
  /** By lease. */
  readonly #leased = new Map<number, Set<string>>();
  /** What was changed, revision after revision, from the oldest that is kept on. */
  #log: WatchBatch[] = [];
  #nextLease = 1;

  constructor({ keep = Number.POSITIVE_INFINITY, clock = systemClock }: MemoryStoreOptions) {
    this.#keep = keep;
    const history = async (range: KeyRange, from: number, previous: boolean) => this.#history(range, from, previous);
    this.#hub = new WatchHub({ clock, history }, 1, 0);
    this.#leases = new LeaseTimers(clock, (id) => this.#revoke(id));
  }

  get seenRevision(): number {
    return this.#hub.revision;
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    checkRange(range);
    this.#checkRevision(options.revision);
    return this.#read(range, options);
  }

  #checkRevision(revision: number | undefined): void {
    if (revision === undefined) return;
    const { compactRevision } = this.#hub;
    if (revision < compactRevision) throw new Compacted(revision, compactRevision);
    if (revision > this.#hub.revision) {
      throw new InvalidArgument(`revision ${revision} has not been yet; the newest is ${this.#hub.revision}`);
    }
  }

  #read(range: KeyRange, options: RangeOptions = {}): RangeResult {
    const newest = this.#hub.revision;
    const { limit = 0, keysOnly = false, countOnly = false, revision = newest } = options;
    const all = revision < newest ? this.#itemsAt(range, revision) : this.#items(range);
    const count = all.length;
    if (countOnly) return { revision: newest, items: [], count, more: false };
    const some = limit > 0 ? all.slice(0, limit) : all;
    const items = keysOnly ? some.map((item) => ({ ...item, value: EMPTY })) : some;
    return { revision: newest, items, count, more: count > items.length };
  }

  #items({ start, end }: KeyRange): readonly KeyValue[] {
    const keys = end === undefined ? [start] : this.#keys.between(start, end);
    return keys.flatMap((key) => this.#live.get(key) ?? []);
  }

  /** As they are now, and what has changed since undone. */
  #itemsAt(range: KeyRange, revision: number): readonly KeyValue[] {
    const items = new Map(this.#items(range).map((item) => [item.key, item]));
    for (let index = this.#log.length - 1; index >= 0; index--) {
      const batch = this.#log[index];
      if (batch === undefined || batch.revision <= revision) break;
      for (const event of batch.events) {
        const key = keyOf(event);
        if (!inRange(key, range)) continue;
        if (event.previous === undefined) items.delete(key);
        else items.set(key, event.previous);
      }
    }
    const keys = new SortedKeys();
    for (const key of items.keys()) keys.add(key);
    return keys.between("", "").flatMap((key) => items.get(key) ?? []);
  }

  async transact({ compare = [], success = [], failure = [] }: Transaction): Promise<TransactionResult> {
    checkTransaction({ compare, success, failure });
    for (const operation of [...success, ...failure]) {
      if (operation.kind === "range") this.#checkRevision(operation.options?.revision);
    }
    const succeeded = compare.every((one) => this.#holds(one));
    const operations = succeeded ? success : failure;
    for (const one of operations) if (one.kind === "put") this.#checkLease(one.lease ?? 0);
    const events: WatchEvent[] = [];
    const revision = this.#hub.revision + 1;
    const results = operations.map((operation) => this.#apply(operation, revision, events));
    this.#tell(revision, events);
    return { succeeded, revision: this.#hub.revision, results };
  }

  #holds(compare: Compare): boolean {
    const live = this.#live.get(compare.key);
    if (compare.target === "value")
      return live !== undefined && satisfies(Buffer.compare(live.value, compare.value), compare.is);
    return satisfies((live?.[compare.target] ?? 0) - compare.value, compare.is);
  }

  #checkLease(id: number): void {
    if (id === 0 || this.#leases.get(id) !== undefined) return;
    throw new NotFound(`lease ${id} does not exist`, { subject: { kind: "lease", name: String(id) } });
  }

  #apply(operation: Operation, revision: number, events: WatchEvent[]): OperationResult {
    switch (operation.kind) {
      case "put":
        events.push(this.#put(operation, revision));
        return { kind: "put" };
      case "delete": {
        const gone = this.#items(operation.range);
        for (const item of gone) events.push(this.#delete(item, revision));
        return { kind: "delete", deleted: gone.length };
      }
      case "range":
        return { kind: "range", ...this.#read(operation.range, operation.options) };
    }
  }

  #put({ key, value, lease = 0 }: Extract<Operation, { kind: "put" }>, revision: number): WatchEvent {
    const previous = this.#live.get(key);
    const { createRevision, version } = previous ?? { createRevision: revision, version: 0 };
    const item: KeyValue = { key, value, createRevision, modRevision: revision, version: version + 1, lease };
    this.#live.set(key, item);
    if (previous === undefined) this.#keys.add(key);
    else this.#leased.get(previous.lease)?.delete(key);
    this.#leased.get(lease)?.add(key);
    return { kind: "put", item, ...(previous !== undefined && { previous }) };
  }

  #delete(previous: KeyValue, revision: number): WatchEvent {
    const { key } = previous;
    this.#live.delete(key);
    this.#keys.delete(key);
    this.#leased.get(previous.lease)?.delete(key);
    return { kind: "delete", key, modRevision: revision, previous };
  }

  #tell(revision: number, events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    this.#log.push({ revision, events });
    this.#hub.tell(revision, events);
    // Now and then, as giving up the first of a list moves all others.
    if (this.#log.length > 2 * this.#keep) this.#giveUp(revision - this.#keep);
  }

  #giveUp(before: number): void {
    this.#log = this.#log.filter(({ revision }) => revision >= before);
    this.#hub.compacted(before);
  }

  /** The log has every revision from its first on. */
  #history(range: KeyRange, from: number, previous: boolean) {
    const first = this.#log[0]?.revision ?? 0;
    const batches: WatchBatch[] = [];
    let changes = 0;
    let upTo = this.#hub.revision;
    for (let index = Math.max(0, from - first); index < this.#log.length; index++) {
      const { revision, events } = this.#log[index] as WatchBatch;
      const own = events.filter((event) => inRange(keyOf(event), range));
      if (own.length > 0) batches.push({ revision, events: previous ? own : own.map(withoutPrevious) });
      changes += own.length;
      if (changes < PAGE) continue;
      upTo = revision;
      break;
    }
    return { batches, upTo };
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    checkRange(range);
    return this.#hub.watch(range, options);
  }

  async grantLease(ttl: number): Promise<Lease> {
    if (!Number.isSafeInteger(ttl) || ttl < 1) {
      throw new InvalidArgument(`a lease is granted for whole seconds, at least 1, not ${ttl}`);
    }
    const id = this.#nextLease++;
    this.#leased.set(id, new Set());
    this.#leases.start(id, ttl);
    return { id, ttl };
  }

  async keepLeaseAlive(id: number): Promise<number> {
    const { ttl } = await this.lease(id);
    this.#leases.start(id, ttl);
    return ttl;
  }

  async revokeLease(id: number): Promise<void> {
    this.#checkLease(id);
    this.#revoke(id);
  }

  #revoke(id: number): void {
    const revision = this.#hub.revision + 1;
    const items = [...(this.#leased.get(id) ?? [])].sort(compareKeys).flatMap((key) => this.#live.get(key) ?? []);
    this.#leases.stop(id);
    this.#tell(
      revision,
      items.map((item) => this.#delete(item, revision)),
    );
    this.#leased.delete(id);
  }

  async lease(id: number): Promise<{ remaining: number; ttl: number; keys: readonly string[] }> {
    this.#checkLease(id);
    const { ttl, remaining } = this.#leases.get(id) ?? { ttl: 0, remaining: 0 };
    return { ttl, remaining, keys: [...(this.#leased.get(id) ?? [])].sort(compareKeys) };
  }

  async compact(revision: number): Promise<void> {
    if (!Number.isSafeInteger(revision) || revision > this.#hub.revision) {
      throw new InvalidArgument(`revision ${revision} cannot be compacted; the newest is ${this.#hub.revision}`);
    }
    const { compactRevision } = this.#hub;
    if (revision <= compactRevision) throw new Compacted(revision, compactRevision);
    this.#giveUp(revision);
  }

  async status(): Promise<StoreStatus> {
    const { revision, compactRevision } = this.#hub;
    let sizeInUse = 0;
    for (const { value } of this.#live.values()) sizeInUse += value.byteLength;
    return { revision, compactRevision, size: 0, sizeInUse };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub[Symbol.dispose]();
    this.#leases[Symbol.dispose]();
  }
}
