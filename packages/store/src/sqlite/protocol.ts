import type { Compare, KeyRange, KeyValue, Operation, OperationResult, RangeOptions } from "../contract.ts";

/** What the thread that writes is asked for. Whatever waits at one time is committed at once. */
export type WriteRequest =
  | {
      readonly kind: "transact";
      readonly compare: readonly Compare[];
      readonly success: readonly Operation[];
      readonly failure: readonly Operation[];
    }
  | { readonly kind: "grant"; readonly id: number; readonly ttl: number }
  | { readonly kind: "revoke"; readonly id: number }
  | { readonly kind: "compact"; readonly revision: number }
  | { readonly kind: "raise"; readonly revision: number };

/** A change as the thread that writes tells it: a put's value stays with the one who sent it. */
export type WrittenEvent =
  | {
      readonly kind: "put";
      /** Which of the operations it was. */
      readonly operation: number;
      readonly key: string;
      readonly createRevision: number;
      readonly version: number;
      readonly lease: number;
      readonly previous?: KeyValue;
    }
  | { readonly kind: "delete"; readonly key: string; readonly previous?: KeyValue };

export interface WriteReply {
  /** The store's newest revision after it. */
  readonly revision: number;
  readonly succeeded: boolean;
  readonly results: readonly OperationResult[];
  /** What it changed, in the order of its operations; none: no revision was made. */
  readonly events: readonly WrittenEvent[];
}

/** What a thread that reads is asked for. */
export type ReadRequest =
  | { readonly kind: "range"; readonly range: KeyRange; readonly options: RangeOptions }
  | {
      readonly kind: "history";
      readonly range: KeyRange;
      readonly from: number;
      readonly previous: boolean;
    }
  | { readonly kind: "lease-keys"; readonly id: number }
  | { readonly kind: "check" }
  | { readonly kind: "backup"; readonly path: string };

/** A version of a key; deletions have no value. */
export interface HistoryRow {
  readonly item: KeyValue;
  readonly deleted: boolean;
  readonly previous?: KeyValue;
}

/** A part of the history, of whole revisions. */
export interface HistoryPage {
  readonly rows: readonly HistoryRow[];
  /** All up to this revision has been read. */
  readonly upTo: number;
}

/** The state that a thread finds when it opens the store. */
export interface Opened {
  readonly revision: number;
  readonly compactRevision: number;
  readonly leases: readonly { readonly id: number; readonly ttl: number }[];
}
