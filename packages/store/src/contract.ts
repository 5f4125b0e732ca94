/**
 * The revisioned key-value store: etcd's semantics, whoever keeps the data. One suite, `testing/store-suite.ts`, holds
 * for every implementation and for a real etcd.
 *
 * - Every transaction that changes something makes one new **revision**, a positive integer that never goes back and is
 *   never used twice, whatever crashes in between.
 * - What was acknowledged is durable.
 * - Reads see one revision, whole: never half a transaction.
 * - Keys are text, ordered by their UTF-8 bytes; values are bytes that nobody may change after they were handed over.
 */

/** A value with its history's marks. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision that made the key, since it last did not exist. */
  readonly createRevision: number;
  /** The revision that last changed it. */
  readonly modRevision: number;
  /** How often it was put since it was made, from 1. */
  readonly version: number;
  /** The lease that it ends with; 0: none. */
  readonly lease: number;
}

/** One key, or all from `start` up to, and without, `end`. */
export interface KeyRange {
  readonly start: string;
  /** Absent: `start` alone. Empty: to the end of all keys. */
  readonly end?: string;
}

export interface RangeOptions {
  /** Reads as of this revision. @default the newest */
  readonly revision?: number;
  /** At most so many items; 0: all. @default 0 */
  readonly limit?: number;
  /** Values are left empty. @default false */
  readonly keysOnly?: boolean;
  /** No items, only {@link RangeResult.count}. @default false */
  readonly countOnly?: boolean;
}

export interface RangeResult {
  /** The newest revision of the store when it was read: what a watch goes on from, plus one. */
  readonly revision: number;
  /** In the order of their keys. */
  readonly items: readonly KeyValue[];
  /** How many keys are in the range, whatever the limit. */
  readonly count: number;
  /** Whether the limit left some out. */
  readonly more: boolean;
}

/** A condition on one key. Of a key that does not exist, the numbers are 0 and no value is equal to anything. */
export type Compare = {
  readonly key: string;
  /** @default equal */
  readonly is?: "equal" | "not-equal" | "less" | "greater";
} & (
  | { readonly target: "modRevision" | "createRevision" | "version" | "lease"; readonly value: number }
  | { readonly target: "value"; readonly value: Uint8Array }
);

export type Operation =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: Uint8Array;
      /** @default 0: no lease */
      readonly lease?: number;
    }
  | { readonly kind: "delete"; readonly range: KeyRange }
  | { readonly kind: "range"; readonly range: KeyRange; readonly options?: RangeOptions };

export type OperationResult =
  | { readonly kind: "put" }
  | { readonly kind: "delete"; readonly deleted: number }
  | ({ readonly kind: "range" } & RangeResult);

/**
 * `success` is done when all of `compare` hold, and else `failure`, at once or not at all. A key may be changed only
 * once in either.
 */
export interface Transaction {
  readonly compare?: readonly Compare[];
  readonly success?: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export interface TransactionResult {
  readonly succeeded: boolean;
  /** The revision that it made or, where nothing changed, the newest. */
  readonly revision: number;
  readonly results: readonly OperationResult[];
}

/** A change of one key. */
export type WatchEvent =
  | { readonly kind: "put"; readonly item: KeyValue; readonly previous?: KeyValue }
  | {
      readonly kind: "delete";
      readonly key: string;
      /** The revision that deleted it. */
      readonly modRevision: number;
      readonly previous?: KeyValue;
    };

/** Whole revisions in their order; one without events tells that all up to it has been told. */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

export interface WatchOptions {
  /** The first revision that is told. @default the one after the newest */
  readonly from?: number;
  /** Tells what each change replaced, where that is not compacted yet. @default false */
  readonly previous?: boolean;
  /** After how many quiet milliseconds a batch without events tells the newest revision; 0: never. @default 0 */
  readonly progress?: number;
}

/**
 * What happens in a range, without gaps, repeats or changes of order. It ends when it is disposed (or the loop over it
 * is left), and throws what it cannot go on from.
 *
 * A consumer may be slow: what it has not taken yet is read again from the store, not kept in memory.
 */
export interface Watch extends AsyncIterable<WatchBatch>, AsyncDisposable {
  /** Resolves when every later revision is sure to be told. @throws Compacted, Unavailable */
  readonly ready: Promise<void>;
}

export interface Lease {
  /** Positive. */
  readonly id: number;
  /** Seconds that it was granted for. */
  readonly ttl: number;
}

export interface StoreStatus {
  readonly revision: number;
  /** Reads and watches before this revision are refused. */
  readonly compactRevision: number;
  /** Bytes on disk. */
  readonly size: number;
  /** Bytes of them that hold something. */
  readonly sizeInUse: number;
}

export interface Store extends AsyncDisposable {
  /**
   * The newest revision that anybody has been shown or told was made: what is remembered as of it, or of a later one, is as
   * new as what would be read. Undefined where others change the data, too.
   */
  readonly seenRevision?: number;

  /** @throws InvalidArgument for a future revision, {@link Compacted} for one that is no longer kept */
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;

  /**
   * @throws InvalidArgument when a key is changed twice, NotFound for a lease that does not exist, ResourceExhausted
   *   when the disk is full; then nothing was changed
   */
  transact(transaction: Transaction): Promise<TransactionResult>;

  watch(range: KeyRange, options?: WatchOptions): Watch;

  /** @param ttl seconds, at least 1 */
  grantLease(ttl: number): Promise<Lease>;
  /** Starts the lease's time anew. @returns the seconds that it has now @throws NotFound */
  keepLeaseAlive(id: number): Promise<number>;
  /** Ends the lease, and deletes its keys in one revision. @throws NotFound */
  revokeLease(id: number): Promise<void>;
  /** Whole seconds that are left, and the keys that end with it. @throws NotFound */
  lease(id: number): Promise<{ readonly remaining: number; readonly ttl: number; readonly keys: readonly string[] }>;

  /**
   * Gives up what is only needed to read before `revision`: values that were replaced or deleted up to it. Resolves
   * when such reads are refused; the space follows in small steps.
   *
   * @throws InvalidArgument for a future revision, Compacted for one before the last compaction
   */
  compact(revision: number): Promise<void>;

  status(): Promise<StoreStatus>;
}
