import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { type Clock, InvalidArgument, NotFound, startWorker, systemClock } from "@boxship/base";
import { checkTransaction } from "../check-transaction.ts";
import { Compacted } from "../compacted.ts";
import type {
  KeyRange,
  KeyValue,
  Lease,
  Operation,
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
import type { RaisableStore } from "../copy-store.ts";
import { checkRange } from "../key-range.ts";
import { LeaseTimers } from "../lease-timers.ts";
import { WatchHub } from "../watch-hub.ts";
import { BatchClient } from "./batch.ts";
import { readerOf, type SqliteReader, startReader } from "./open-sqlite-reader.ts";
import type { HistoryPage, HistoryRow, Opened, ReadRequest, WriteReply, WriteRequest } from "./protocol.ts";
import { readKey } from "./reader.ts";
import { ReservedSpace } from "./reserve-space.ts";
import { Statements } from "./rows.ts";
import { openForReading } from "./schema.ts";

export interface SqliteStoreOptions {
  /** The database's file; its log and its index stand beside it. */
  readonly path: string;
  /** Bytes that the file may grow to. @default 8 GiB */
  readonly maxSize?: number;
  /** Whether it takes room on the disk beforehand, see {@link ReservedSpace}. @default false */
  readonly reserve?: boolean;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** A store in one file of this host. */
export interface SqliteStore extends Store, RaisableStore, Pick<SqliteReader, "backup" | "check"> {}

/**
 * Opens the store, and makes it where it is missing. One thread writes, whatever waits in one commit; another reads
 * what is long. The event loop never waits for the disk's sync.
 *
 * @throws FailedPrecondition for a file of a later program
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { path, maxSize = 8 * 2 ** 30, reserve = false, clock = systemClock } = options;
  await using stack = new AsyncDisposableStack();
  const space = reserve ? stack.use(new ReservedSpace(path)) : undefined;
  const write = startWorker("store-writer", new URL("./writer-worker.ts", import.meta.url), {
    workerData: { path, maxSize },
  });
  const writer = stack.use(new BatchClient(write, "store"));
  const opened = await writer.send<Opened>({ kind: "open" });
  space?.take();
  const database = stack.adopt(openForReading(path), (open) => open.close());
  const reader = stack.use(startReader(path));
  return new OpenStore({ writer, reader, database, opened, clock, owned: stack.move() });
}

interface Parts {
  readonly writer: BatchClient;
  readonly reader: BatchClient;
  readonly database: DatabaseSync;
  readonly opened: Opened;
  readonly clock: Clock;
  readonly owned: AsyncDisposableStack;
}

class OpenStore implements SqliteStore {
  readonly #writer: BatchClient;
  readonly #reader: BatchClient;
  readonly #statements: Statements;
  readonly #hub: WatchHub;
  readonly #leases: LeaseTimers;
  readonly #owned: AsyncDisposableStack;
  #seenRevision: number;

  constructor({ writer, reader, database, opened, clock, owned }: Parts) {
    this.#writer = writer;
    this.#reader = reader;
    this.#statements = new Statements(database);
    this.#owned = owned;
    this.#seenRevision = opened.revision;
    this.#hub = new WatchHub(
      { clock, history: (range, from, previous) => this.#history(range, from, previous) },
      opened.revision,
      opened.compactRevision,
    );
    // One that is just being revoked by somebody else is gone all the same.
    this.#leases = new LeaseTimers(clock, (id) => void this.revokeLease(id).catch(() => {}));
    for (const { id, ttl } of opened.leases) this.#leases.start(id, ttl);
  }

  get seenRevision(): number {
    return this.#seenRevision;
  }

  #saw(revision: number): void {
    if (revision > this.#seenRevision) this.#seenRevision = revision;
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    const result = await this.#range(range, options);
    this.#saw(result.revision);
    return result;
  }

  async #range(range: KeyRange, options: RangeOptions): Promise<RangeResult> {
    checkRange(range);
    const { revision, keysOnly, countOnly } = options;
    if (revision === undefined && range.end === undefined && !keysOnly && !countOnly) {
      // A few microseconds, of pages that are nearly always in memory: less than asking another thread takes.
      return readKey(this.#statements, range.start);
    }
    this.#checkRevision(revision);
    const result = await this.#read<RangeResult>({ kind: "range", range, options });
    this.#checkRevision(revision);
    return result;
  }

  #checkRevision(revision: number | undefined): void {
    if (revision === undefined) return;
    const { compactRevision } = this.#hub;
    if (revision < compactRevision) throw new Compacted(revision, compactRevision);
    if (revision > this.#hub.revision) {
      throw new InvalidArgument(`revision ${revision} has not been yet; the newest is ${this.#hub.revision}`);
    }
  }

  #read<T>(request: ReadRequest): Promise<T> {
    return this.#reader.send<T>(request);
  }

  async transact({ compare = [], success = [], failure = [] }: Transaction): Promise<TransactionResult> {
    checkTransaction({ compare, success, failure });
    for (const operation of [...success, ...failure]) {
      if (operation.kind === "range") this.#checkRevision(operation.options?.revision);
    }
    const request: WriteRequest = {
      kind: "transact",
      compare: compare.map((one) => (one.target === "value" ? { ...one, value: tight(one.value) } : one)),
      success: success.map(posted),
      failure: failure.map(posted),
    };
    const { succeeded, revision, results } = await this.#write(request, success, failure);
    return { succeeded, revision, results };
  }

  /** Watches are told before the writer is, in the order of the commits. */
  #write(
    request: WriteRequest,
    success: readonly Operation[] = [],
    failure: readonly Operation[] = [],
  ): Promise<WriteReply> {
    return this.#writer.send<WriteReply>(request, (reply) => {
      this.#saw(reply.revision);
      if (reply.events.length === 0) return;
      const operations = reply.succeeded ? success : failure;
      this.#hub.tell(reply.revision, watchEvents(reply, operations));
    });
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    checkRange(range);
    return this.#hub.watch(range, options);
  }

  async #history(range: KeyRange, from: number, previous: boolean) {
    const { rows, upTo } = await this.#read<HistoryPage>({ kind: "history", range, from, previous });
    this.#saw(upTo);
    const batches: WatchBatch[] = [];
    for (const [revision, group] of Map.groupBy(rows, ({ item }) => item.modRevision)) {
      batches.push({ revision, events: group.map(historyEvent) });
    }
    return { batches, upTo };
  }

  async grantLease(ttl: number): Promise<Lease> {
    if (!Number.isSafeInteger(ttl) || ttl < 1) {
      throw new InvalidArgument(`a lease is granted for whole seconds, at least 1, not ${ttl}`);
    }
    const id = randomBytes(6).readUIntBE(0, 6) + 1;
    await this.#write({ kind: "grant", id, ttl });
    this.#leases.start(id, ttl);
    return { id, ttl };
  }

  async keepLeaseAlive(id: number): Promise<number> {
    const { ttl } = this.#leaseTime(id);
    this.#leases.start(id, ttl);
    return ttl;
  }

  async revokeLease(id: number): Promise<void> {
    await this.#write({ kind: "revoke", id });
    this.#leases.stop(id);
  }

  async lease(id: number): Promise<{ remaining: number; ttl: number; keys: readonly string[] }> {
    const time = this.#leaseTime(id);
    return { ...time, keys: await this.#read<string[]>({ kind: "lease-keys", id }) };
  }

  #leaseTime(id: number): { readonly ttl: number; readonly remaining: number } {
    const time = this.#leases.get(id);
    if (time !== undefined) return time;
    throw new NotFound(`lease ${id} does not exist`, { subject: { kind: "lease", name: String(id) } });
  }

  async compact(revision: number): Promise<void> {
    if (!Number.isSafeInteger(revision) || revision > this.#hub.revision) {
      throw new InvalidArgument(`revision ${revision} cannot be compacted; the newest is ${this.#hub.revision}`);
    }
    const { compactRevision } = this.#hub;
    if (revision <= compactRevision) throw new Compacted(revision, compactRevision);
    await this.#writer.send<WriteReply>({ kind: "compact", revision }, () => this.#hub.compacted(revision));
  }

  async raiseRevision(revision: number): Promise<void> {
    if (!Number.isSafeInteger(revision)) throw new InvalidArgument(`${revision} is no revision`);
    await this.#writer.send<WriteReply>({ kind: "raise", revision }, (reply) => {
      this.#saw(reply.revision);
      this.#hub.tell(reply.revision, []);
    });
  }

  async status(): Promise<StoreStatus> {
    const value = (name: string): number => this.#statements.row(`PRAGMA ${name}`)?.[0] as number;
    const [pages, free, size] = [value("page_count"), value("freelist_count"), value("page_size")];
    const { revision, compactRevision } = this.#hub;
    return { revision, compactRevision, size: pages * size, sizeInUse: (pages - free) * size };
  }

  backup(path: string): Promise<void> {
    return readerOf(this.#reader).backup(path);
  }

  check(): Promise<readonly string[]> {
    return readerOf(this.#reader).check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub[Symbol.dispose]();
    this.#leases[Symbol.dispose]();
    await this.#owned.disposeAsync();
  }
}

/** A view of a larger buffer would take all of that to the other thread. */
function tight(value: Uint8Array): Uint8Array {
  return value.byteLength === value.buffer.byteLength && !Buffer.isBuffer(value) ? value : Uint8Array.from(value);
}

function posted(operation: Operation): Operation {
  return operation.kind === "put" ? { ...operation, value: tight(operation.value) } : operation;
}

/** What watches are told: the values that were sent, with the marks that the commit gave them. */
function watchEvents({ revision, events }: WriteReply, operations: readonly Operation[]): WatchEvent[] {
  return events.map((event): WatchEvent => {
    const { previous } = event;
    const replaced = previous === undefined ? {} : { previous };
    if (event.kind === "delete") return { kind: "delete", key: event.key, modRevision: revision, ...replaced };
    const put = operations[event.operation] as Extract<Operation, { kind: "put" }>;
    const { key, createRevision, version, lease } = event;
    const item: KeyValue = { key, value: put.value, modRevision: revision, createRevision, version, lease };
    return { kind: "put", item, ...replaced };
  });
}

function historyEvent({ item, deleted, previous }: HistoryRow): WatchEvent {
  const replaced = previous === undefined ? {} : { previous };
  if (deleted) return { kind: "delete", key: item.key, modRevision: item.modRevision, ...replaced };
  return { kind: "put", item, ...replaced };
}
