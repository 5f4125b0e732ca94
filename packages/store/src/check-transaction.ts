import { InvalidArgument } from "@boxship/base";
import type { KeyRange, Operation, Transaction } from "./contract.ts";
import { checkKey, checkRange, inRange } from "./key-range.ts";

/** What etcd allows by default, in operations. */
const MOST = 128;

/** @throws InvalidArgument for keys that cannot be, too many operations, and a key that is changed twice */
export function checkTransaction({ compare = [], success = [], failure = [] }: Transaction): void {
  if (compare.length > MOST || success.length > MOST || failure.length > MOST) {
    throw new InvalidArgument(`a transaction has at most ${MOST} conditions and ${MOST} operations`);
  }
  for (const { key } of compare) checkKey(key);
  for (const operations of [success, failure]) checkOperations(operations);
}

function checkOperations(operations: readonly Operation[]): void {
  const put = new Set<string>();
  const deleted: KeyRange[] = [];
  for (const operation of operations) {
    if (operation.kind !== "put") {
      checkRange(operation.range);
      if (operation.kind === "delete") deleted.push(operation.range);
      continue;
    }
    checkKey(operation.key);
    if (put.has(operation.key)) throw changedTwice(operation.key);
    put.add(operation.key);
  }
  for (const key of put) if (deleted.some((range) => inRange(key, range))) throw changedTwice(key);
}

function changedTwice(key: string): InvalidArgument {
  return new InvalidArgument(`key ${JSON.stringify(key)} is changed twice in one transaction`, {
    subject: { kind: "key", name: key },
  });
}
