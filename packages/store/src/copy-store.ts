import { FailedPrecondition } from "@boxship/base";
import type { KeyValue, Operation, Store } from "./contract.ts";
import { keyAfter } from "./key-range.ts";

export interface CopyOptions {
  /** Deletes what the target has. @default false */
  readonly replace?: boolean;
  /** The target's revision is at least this one in the end. @default the source's */
  readonly revision?: number;
  /** Told by how many revisions the target's has to be raised, where that takes a write for each. */
  readonly onRaise?: (missing: number) => void;
}

export interface CopyResult {
  readonly keys: number;
  /** Of the source: everything that was copied is of this moment. */
  readonly sourceRevision: number;
  /** Of the target, when all was there; everything before it is compacted. */
  readonly revision: number;
}

/** A store whose revision can be raised without a write for each. */
export interface RaisableStore {
  /** Does nothing where the store is there already. */
  raiseRevision(revision: number): Promise<void>;
}

/** Stands in a store while it is being filled: what else is in it is not whole. */
export const COPYING_KEY = "/boxship/copying";

const EVERYTHING = { start: "", end: "" } as const;
const READ_AT_ONCE = 500;
/** etcd takes 128 operations, and one and a half megabytes, at a time. */
const MOST_PUTS = 100;
const MOST_BYTES = 1024 * 1024;
const RAISED_AT_ONCE = 128;
const NOTHING = new Uint8Array(0);

/**
 * Makes a store hold what another one holds at one moment. The target's revision then lies at or beyond the source's and
 * everything before it is compacted: whoever goes on from a revision of the source is told to read again, and no revision
 * means two things. Leases begin anew with the time that they had left.
 *
 * A copy that is cut short leaves {@link COPYING_KEY}, and is simply made again.
 *
 * @throws FailedPrecondition for a target that holds something, unless it is to be replaced
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<CopyResult> {
  await claim(to, options.replace === true);
  const leases = new Map<number, Promise<number>>();
  const leaseOf = (id: number): Promise<number> => {
    const made =
      leases.get(id) ?? from.lease(id).then(async ({ remaining }) => (await to.grantLease(Math.max(1, remaining))).id);
    leases.set(id, made);
    return made;
  };
  let keys = 0;
  let sourceRevision: number | undefined;
  for (let start = ""; ; ) {
    const page = await from.range(
      { start, end: "" },
      { limit: READ_AT_ONCE, ...(sourceRevision === undefined ? {} : { revision: sourceRevision }) },
    );
    sourceRevision ??= page.revision;
    for (const batch of batches(page.items.filter(({ key }) => key !== COPYING_KEY))) {
      const success = await Promise.all(
        batch.map(async ({ key, value, lease }): Promise<Operation> => {
          return { kind: "put", key, value, lease: lease === 0 ? 0 : await leaseOf(lease) };
        }),
      );
      await to.transact({ success });
      keys += batch.length;
    }
    const last = page.items.at(-1);
    if (!page.more || last === undefined) break;
    start = keyAfter(last.key);
  }
  // Taking the mark away makes the last revision.
  await raise(to, Math.max(sourceRevision, options.revision ?? 0) - 1, options.onRaise);
  const { revision } = await to.transact({ success: [{ kind: "delete", range: { start: COPYING_KEY } }] });
  await to.compact(revision);
  return { keys, sourceRevision, revision };
}

async function claim(to: Store, replace: boolean): Promise<void> {
  const { items, count } = await to.range(EVERYTHING, { limit: 1, keysOnly: true });
  const interrupted = items[0]?.key === COPYING_KEY;
  if (count > 0 && !replace && !interrupted) {
    throw new FailedPrecondition(`the store that is to be filled holds ${count} keys already`, {
      remedy: "give it an empty one, or say that what it holds is to be replaced",
    });
  }
  // In one revision: a store that is half emptied is marked as such.
  await to.transact({
    success: [
      { kind: "put", key: COPYING_KEY, value: NOTHING },
      { kind: "delete", range: { start: "", end: COPYING_KEY } },
      { kind: "delete", range: { start: keyAfter(COPYING_KEY), end: "" } },
    ],
  });
}

function* batches(items: readonly KeyValue[]): Generator<readonly KeyValue[]> {
  let batch: KeyValue[] = [];
  let size = 0;
  for (const item of items) {
    if (batch.length === MOST_PUTS || (batch.length > 0 && size + item.value.length > MOST_BYTES)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(item);
    size += item.value.length;
  }
  if (batch.length > 0) yield batch;
}

async function raise(
  store: Store & Partial<RaisableStore>,
  revision: number,
  onRaise?: CopyOptions["onRaise"],
): Promise<void> {
  if (store.raiseRevision !== undefined) {
    await store.raiseRevision(revision);
    return;
  }
  // Every transaction that changes something makes one revision, and there is no other way to one of etcd.
  let missing = revision - (await store.status()).revision;
  onRaise?.(missing);
  const write = async (): Promise<void> => {
    while (missing-- > 0) await store.transact({ success: [{ kind: "put", key: COPYING_KEY, value: NOTHING }] });
  };
  await Promise.all(Array.from({ length: RAISED_AT_ONCE }, write));
}

/** @throws FailedPrecondition for a store that was not filled to its end */
export async function requireWhole(store: Store): Promise<void> {
  if ((await store.range({ start: COPYING_KEY }, { countOnly: true })).count === 0) return;
  throw new FailedPrecondition("the store is only half filled: a restore or a migration into it was cut short", {
    remedy: "make it again: boxship store restore, or boxship store migrate",
  });
}
