import { randomInt } from "node:crypto";
import { type Clock, InvalidArgument, NotFound, systemClock, Unavailable } from "@boxship/base";
import { checkTransaction } from "../check-transaction.ts";
import { Compacted } from "../compacted.ts";
import type {
  KeyRange,
  Lease,
  RangeOptions,
  RangeResult,
  Store,
  StoreStatus,
  Transaction,
  TransactionResult,
  Watch,
  WatchOptions,
} from "../contract.ts";
import { checkRange } from "../key-range.ts";
import { EtcdConnection, type EtcdEndpoints } from "./connection.ts";
import { compareMessage, keyText, operationResult, rangeRequest, rangeResult, requestOp } from "./convert.ts";
import { explained, noLease, refusedAsCompacted } from "./errors.ts";
import { EtcdWatch } from "./etcd-watch.ts";
import { methods } from "./messages.ts";

export interface EtcdStoreOptions extends EtcdEndpoints {
  /** @default the system's */
  readonly clock?: Clock;
}

/** Versions whose progress notices may come before what they stand for. */
const EARLY_PROGRESS = /^(?:3\.[0-3]\.|3\.4\.(?:\d|1\d|2[0-4])$|3\.5\.[0-7]$)/;

/**
 * A store in an etcd cluster, 3.4 or later.
 *
 * - A read that one member does not answer is tried at the next; a change is asked for once, and `Unavailable` then means
 *   that nobody knows whether it was made.
 * - Watches move to another member when theirs is lost, without gaps or repeats.
 * - Leases last at least as long as etcd's election timeout allows: the granted time may be longer than was asked for.
 * - etcd before 3.4.25 and 3.5.8 gives no progress notices that can be trusted; watches of these have none.
 *
 * @throws InvalidArgument for addresses that are none, Unavailable when no member answers
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const connection = new EtcdConnection(options);
  try {
    const { version } = await connection.greet(methods.status, {});
    return new EtcdStore(connection, options.clock ?? systemClock, !EARLY_PROGRESS.test(version));
  } catch (error) {
    connection[Symbol.dispose]();
    throw error;
  }
}

class EtcdStore implements Store {
  readonly #connection: EtcdConnection;
  readonly #clock: Clock;
  readonly #hasProgress: boolean;
  readonly #watches = new Set<EtcdWatch>();

  constructor(connection: EtcdConnection, clock: Clock, hasProgress: boolean) {
    this.#connection = connection;
    this.#clock = clock;
    this.#hasProgress = hasProgress;
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    checkRange(range);
    try {
      return rangeResult(await this.#connection.read(methods.range, rangeRequest(range, options)));
    } catch (error) {
      throw await this.#compacted(error, options.revision ?? 0);
    }
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    checkTransaction(transaction);
    const { compare = [], success = [], failure = [] } = transaction;
    const request = {
      compare: compare.map(compareMessage),
      success: success.map(requestOp),
      failure: failure.map(requestOp),
    };
    try {
      const { header, succeeded, responses } = await this.#connection.write(methods.txn, request);
      return { succeeded, revision: header?.revision ?? 0, results: responses.map(operationResult) };
    } catch (error) {
      throw explained(error);
    }
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    checkRange(range);
    const progress = this.#hasProgress ? (options.progress ?? 0) : 0;
    const watch = new EtcdWatch(this.#connection, this.#clock, range, { ...options, progress }, () =>
      this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  async grantLease(ttl: number): Promise<Lease> {
    if (!(ttl >= 1)) throw new InvalidArgument(`a lease of ${ttl} seconds is too short`);
    // etcd's own numbers go beyond 2^53.
    const asked = { id: randomInt(1, 2 ** 48 - 1), ttl: Math.ceil(ttl) };
    const granted = await this.#connection.write(methods.leaseGrant, asked);
    if (granted.error !== "") throw new Unavailable(`etcd grants no lease: ${granted.error}`);
    return { id: granted.id, ttl: granted.ttl };
  }

  async keepLeaseAlive(id: number): Promise<number> {
    // A call in both directions; with one message each it is a plain one.
    const { ttl } = await this.#connection.write(methods.leaseKeepAlive, { id });
    if (ttl <= 0) throw noLease(id);
    return ttl;
  }

  async revokeLease(id: number): Promise<void> {
    try {
      await this.#connection.write(methods.leaseRevoke, { id });
    } catch (error) {
      throw error instanceof NotFound ? noLease(id, error) : error;
    }
  }

  async lease(
    id: number,
  ): Promise<{ readonly remaining: number; readonly ttl: number; readonly keys: readonly string[] }> {
    const { ttl, grantedTtl, keys } = await this.#connection.read(methods.leaseTimeToLive, { id, keys: true });
    if (ttl < 0) throw noLease(id);
    return { remaining: ttl, ttl: grantedTtl, keys: keys.map(keyText) };
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#connection.write(methods.compact, { revision });
    } catch (error) {
      throw await this.#compacted(error, revision);
    }
  }

  async status(): Promise<StoreStatus> {
    const [status, compactRevision] = await Promise.all([
      this.#connection.read(methods.status, {}),
      this.#compactRevision(),
    ]);
    const { header, dbSize, dbSizeInUse } = status;
    return { revision: header?.revision ?? 0, compactRevision, size: dbSize, sizeInUse: dbSizeInUse };
  }

  async #compacted(error: unknown, revision: number): Promise<unknown> {
    if (!refusedAsCompacted(error)) return explained(error);
    return new Compacted(revision, await this.#compactRevision());
  }

  /** Only a watch from before is told it; 0 when nothing was compacted. */
  async #compactRevision(): Promise<number> {
    await using watch = this.watch({ start: "\0" }, { from: 1 });
    try {
      await watch.ready;
      return 0;
    } catch (error) {
      if (error instanceof Compacted) return error.compactRevision;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watch of this.#watches) watch.fail(new Unavailable("the store is closed"));
    this.#connection[Symbol.dispose]();
  }
}
