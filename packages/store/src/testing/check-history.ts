import assert from "node:assert/strict";
import type { KeyValue, WatchEvent } from "../contract.ts";
import { compareKeys, inRange } from "../key-range.ts";
import type { HistoryStore } from "./killable-store.ts";
import type { AnsweredRead, History, SentWrite, Watched } from "./record-history.ts";

/** All that ever happened, as the store tells it in the end. */
interface Truth {
  /** By their revision, in order. */
  readonly revisions: ReadonlyMap<number, readonly WatchEvent[]>;
  /** What there was at a revision. */
  readonly stateAt: (revision: number) => ReadonlyMap<string, KeyValue>;
}

/**
 * Whether what was acknowledged, read and watched can be explained by the history that the store has in the end:
 *
 * - every acknowledged write is there, at its revision, whole; none is there twice, and nothing is that nobody sent;
 * - conditions held, or did not, in the state before;
 * - a read is the state of one revision, which is not older than anything that was acknowledged before it was asked;
 * - every watch was told everything from where it began, in order, once.
 *
 * Nothing was compacted.
 */
export async function checkHistory(store: HistoryStore, history: History): Promise<void> {
  const truth = await readTruth(store);
  checkWrites(truth, history.writes);
  for (const read of history.reads) checkRead(truth, read);
  for (const watched of history.watches) checkWatch(truth, watched);
}

async function readTruth(store: HistoryStore): Promise<Truth> {
  const { revision: newest } = await store.range({ start: "/end" });
  const revisions = new Map<number, readonly WatchEvent[]>();
  for await (const { revision, events } of store.watchFrom(2)) {
    assert.ok(!revisions.has(revision), `revision ${revision} is told twice`);
    revisions.set(revision, events);
    if (revision >= newest) break;
  }
  const states = new Map<number, ReadonlyMap<string, KeyValue>>();
  let state = new Map<string, KeyValue>();
  states.set(1, state);
  for (const [revision, events] of revisions) {
    assert.ok(states.has(revision - 1), `there is nothing of revision ${revision - 1}`);
    state = new Map(state);
    for (const event of events) {
      if (event.kind === "delete") state.delete(event.key);
      else if (event.item.key.startsWith("/keys/")) state.set(event.item.key, event.item);
    }
    states.set(revision, state);
  }
  const stateAt = (revision: number): ReadonlyMap<string, KeyValue> => {
    const found = states.get(revision);
    assert.ok(found !== undefined, `revision ${revision} was told to somebody and is not in the history`);
    return found;
  };
  return { revisions, stateAt };
}

const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** What a revision did, to compare. */
function changes(events: readonly WatchEvent[]): readonly string[] {
  return events
    .map((event) => (event.kind === "put" ? `${event.item.key}=${text(event.item.value)}` : `${event.key} gone`))
    .sort();
}

/** What a transaction does to a state, to compare. */
function expected({ transaction }: SentWrite, before: ReadonlyMap<string, KeyValue>): readonly string[] {
  return (transaction.success ?? [])
    .flatMap((operation) => {
      if (operation.kind === "put") return [`${operation.key}=${text(operation.value)}`];
      // There is nothing to delete of what does not exist.
      return operation.kind === "delete" && before.has(operation.range.start) ? [`${operation.range.start} gone`] : [];
    })
    .sort();
}

function checkWrites({ revisions, stateAt }: Truth, writes: readonly SentWrite[]): void {
  const byMark = new Map(writes.map((write) => [write.mark, write]));
  const madeAt = new Map<string, number>();
  for (const [revision, events] of revisions) {
    const marks = events.flatMap((event) =>
      event.kind === "put" && event.item.key.startsWith("/marks/") ? [text(event.item.value)] : [],
    );
    if (marks.length === 0) continue;
    const [mark = ""] = marks;
    const write = byMark.get(mark);
    assert.ok(write !== undefined && marks.length === 1, `revision ${revision} is of ${marks.join(" and ")}`);
    assert.ok(!madeAt.has(mark), `${mark} was made at ${madeAt.get(mark)} and again at ${revision}`);
    madeAt.set(mark, revision);
    assert.deepEqual(changes(events), expected(write, stateAt(revision - 1)), `revision ${revision}`);
    assert.ok(revision > write.after, `revision ${revision} was sent after ${write.after} had been acknowledged`);
    assert.ok(holds(write, stateAt(revision - 1)), `revision ${revision} was made against its condition`);
  }
  for (const write of writes) {
    const { acknowledged } = write;
    if (acknowledged === undefined) continue;
    const { revision, succeeded } = acknowledged;
    assert.equal(madeAt.get(write.mark), succeeded ? revision : undefined, `${write.mark} was acknowledged`);
    if (!succeeded) assert.ok(!holds(write, stateAt(revision)), `${write.mark} was refused, and its condition held`);
  }
}

function holds({ transaction }: SentWrite, state: ReadonlyMap<string, KeyValue>): boolean {
  return (transaction.compare ?? []).every(({ key, value }) => (state.get(key)?.modRevision ?? 0) === value);
}

function checkRead({ stateAt }: Truth, { range, after, revision, items }: AnsweredRead): void {
  assert.ok(revision >= after, `a read of revision ${revision} after ${after} had been acknowledged`);
  const there = [...stateAt(revision).values()]
    .filter(({ key }) => inRange(key, range))
    .toSorted((a, b) => compareKeys(a.key, b.key));
  assert.deepEqual(items.map(shown), there.map(shown), `a read of revision ${revision}`);
}

const shown = ({ key, value, modRevision, createRevision, version }: KeyValue): string =>
  `${key}=${text(value)} ${modRevision} ${createRevision} ${version}`;

function checkWatch({ revisions }: Truth, { from, events }: Watched): void {
  const last = events.at(-1)?.revision ?? 0;
  const all = [...revisions].flatMap(([revision, told]) =>
    revision < from || revision > last ? [] : told.map((event) => `${revision} ${changes([event])[0]}`),
  );
  assert.ok(all.length > 0, "a watch was told nothing");
  assert.deepEqual(
    events.map(({ revision, event }) => `${revision} ${changes([event])[0]}`),
    all,
  );
}
