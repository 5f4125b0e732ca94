import { Internal } from "@boxship/base";
import type { Init, ValueOf } from "@boxship/grpc";
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  WatchEvent,
} from "../contract.ts";
import {
  compareResults,
  compareTargets,
  DELETE,
  type EtcdCompare,
  type EtcdEvent,
  type EtcdKeyValue,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
} from "./messages.ts";

/** Between the store's contract and etcd's messages. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const keyBytes = (key: string): Uint8Array => encoder.encode(key);
export const keyText = (key: Uint8Array): string => decoder.decode(key);

const NUL = Uint8Array.of(0);

/** etcd says "to the end" by a NUL as the end, and has no empty key to begin with. */
export function rangeFields({ start, end }: KeyRange): { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array } {
  if (end === undefined) return { key: keyBytes(start) };
  return { key: start === "" ? NUL : keyBytes(start), rangeEnd: end === "" ? NUL : keyBytes(end) };
}

export function rangeRequest(range: KeyRange, options: RangeOptions = {}): Init<ValueOf<typeof RangeRequest>> {
  const { revision = 0, limit = 0, keysOnly = false, countOnly = false } = options;
  return { ...rangeFields(range), revision, limit, keysOnly, countOnly };
}

export function keyValue(kv: ValueOf<typeof EtcdKeyValue>): KeyValue {
  return { ...kv, key: keyText(kv.key) };
}

export function rangeResult(response: ValueOf<typeof RangeResponse>): RangeResult {
  const { header, kvs, more, count } = response;
  return { revision: header?.revision ?? 0, items: kvs.map(keyValue), count, more };
}

export function compareMessage(compare: Compare): Init<ValueOf<typeof EtcdCompare>> {
  const { key, target, is = "equal" } = compare;
  const base = { key: keyBytes(key), target: compareTargets[target], result: compareResults[is] };
  return { ...base, [target]: compare.value };
}

export function requestOp(operation: Operation): Init<ValueOf<typeof RequestOp>> {
  switch (operation.kind) {
    case "put":
      return { put: { key: keyBytes(operation.key), value: operation.value, lease: operation.lease ?? 0 } };
    case "delete":
      return { deleteRange: rangeFields(operation.range) };
    case "range":
      return { range: rangeRequest(operation.range, operation.options) };
  }
}

export function operationResult(response: ValueOf<typeof ResponseOp>): OperationResult {
  if (response.put !== undefined) return { kind: "put" };
  if (response.deleteRange !== undefined) return { kind: "delete", deleted: response.deleteRange.deleted };
  if (response.range !== undefined) return { kind: "range", ...rangeResult(response.range) };
  throw new Internal("etcd answered an operation with nothing");
}

export function watchEvent({ type, kv, previous }: ValueOf<typeof EtcdEvent>): WatchEvent {
  if (kv === undefined) throw new Internal("etcd told of a change of no key");
  const before = previous === undefined ? {} : { previous: keyValue(previous) };
  if (type !== DELETE) return { kind: "put", item: keyValue(kv), ...before };
  return { kind: "delete", key: keyText(kv.key), modRevision: kv.modRevision, ...before };
}
