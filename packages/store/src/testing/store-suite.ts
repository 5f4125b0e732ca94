import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { InvalidArgument, NotFound } from "@boxship/base";
import fc from "fast-check";
import { Compacted } from "../compacted.ts";
import type { KeyRange, KeyValue, Store, Watch, WatchBatch, WatchEvent } from "../contract.ts";
import { compareKeys, inRange, keyAfter, prefixRange } from "../key-range.ts";

/** A store to test, and how it is left. Tests share it and keep to prefixes of their own. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const put = (key: string, value: string, lease = 0) => ({ kind: "put", key, value: bytes(value), lease }) as const;
const remove = (range: KeyRange) => ({ kind: "delete", range }) as const;

async function write(store: Store, ...operations: Parameters<typeof put>[]): Promise<number> {
  return (await store.transact({ success: operations.map((each) => put(...each)) })).revision;
}

const shown = (items: readonly KeyValue[]) => items.map(({ key, value }) => `${key}=${text(value)}`);

const told = (event: WatchEvent): string => {
  const previous = event.previous === undefined ? "" : ` (was ${text(event.previous.value)})`;
  return event.kind === "put"
    ? `${event.item.modRevision} ${event.item.key}=${text(event.item.value)}${previous}`
    : `${event.modRevision} ${event.key} gone${previous}`;
};

/** The next `count` events of a watch. */
async function take(watch: Watch, count: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  let seen = 0;
  for await (const batch of watch) {
    batches.push(batch);
    seen += batch.events.length;
    if (seen >= count) break;
  }
  return batches;
}

const events = (batches: readonly WatchBatch[]) => batches.flatMap((batch) => batch.events.map(told));

/** What every store promises; see `contract.ts`. Runs against etcd, too, so that it is etcd's word. */
export function storeSuite(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: Store;
    let count = 0;
    /** A prefix that no other test has. */
    const fresh = (): string => `/t${process.pid}-${count++}/`;
    before(async () => {
      under = await make();
      store = under.store;
    });
    after(() => under?.[Symbol.asyncDispose]());

    test("a key has the marks of its history", async () => {
      const at = fresh();
      const first = await write(store, [`${at}a`, "1"]);
      const second = await write(store, [`${at}a`, "2"]);
      assert.equal(second, first + 1);
      const { items, count: found, more, revision } = await store.range({ start: `${at}a` });
      assert.deepEqual(items[0], {
        key: `${at}a`,
        value: items[0]?.value,
        createRevision: first,
        modRevision: second,
        version: 2,
        lease: 0,
      });
      assert.deepEqual([shown(items), found, more], [[`${at}a=2`], 1, false]);
      assert.ok(revision >= second);
      await store.transact({ success: [remove({ start: `${at}a` })] });
      const again = await write(store, [`${at}a`, "3"]);
      const [item] = (await store.range({ start: `${at}a` })).items;
      assert.deepEqual([item?.createRevision, item?.version], [again, 1]);
    });

    test("what does not exist is an empty answer", async () => {
      const { items, count: found, more } = await store.range({ start: fresh() });
      assert.deepEqual([items, found, more], [[], 0, false]);
    });

    test("ranges are in the order of bytes, with limits, counts and without values", async () => {
      const at = fresh();
      const keys = ["a", "a/b", "b", "é", "￿", "𝒳"].map((key) => at + key);
      for (const key of keys.toReversed()) await write(store, [key, key.length.toString()]);
      const all = await store.range(prefixRange(at));
      assert.deepEqual(
        all.items.map(({ key }) => key),
        keys,
      );
      assert.deepEqual(keys.toSorted(compareKeys), keys);
      const part = await store.range(prefixRange(at), { limit: 2 });
      assert.deepEqual(
        [part.items.map(({ key }) => key), part.count, part.more],
        [keys.slice(0, 2), keys.length, true],
      );
      const rest = await store.range({ start: keyAfter(keys[1] ?? ""), end: prefixRange(at).end ?? "" }, { limit: 4 });
      assert.deepEqual([rest.items.map(({ key }) => key), rest.more], [keys.slice(2), false]);
      const counted = await store.range(prefixRange(at), { countOnly: true });
      assert.deepEqual([counted.items, counted.count], [[], keys.length]);
      const bare = await store.range(prefixRange(at), { keysOnly: true });
      assert.deepEqual([bare.items.length, bare.items.every(({ value }) => value.length === 0)], [keys.length, true]);
      const tail = await store.range({ start: `${at}b`, end: "" }, { limit: 2 });
      assert.deepEqual(
        tail.items.map(({ key }) => key),
        keys.slice(2, 4),
      );
    });

    test("older revisions are read as they were", async () => {
      const at = fresh();
      const first = await write(store, [`${at}a`, "1"], [`${at}b`, "1"]);
      const second = await write(store, [`${at}a`, "2"]);
      await store.transact({ success: [remove({ start: `${at}b` })] });
      const read = async (revision?: number) =>
        shown((await store.range(prefixRange(at), revision === undefined ? {} : { revision })).items);
      assert.deepEqual(await read(first), [`${at}a=1`, `${at}b=1`]);
      assert.deepEqual(await read(second), [`${at}a=2`, `${at}b=1`]);
      assert.deepEqual(await read(), [`${at}a=2`]);
      const page = await store.range(prefixRange(at), { revision: first, limit: 1 });
      assert.deepEqual([shown(page.items), page.count, page.more], [[`${at}a=1`], 2, true]);
      await assert.rejects(store.range(prefixRange(at), { revision: second + 1000 }), InvalidArgument);
    });

    test("conditions choose what is done", async () => {
      const at = fresh();
      const create = (value: string) =>
        store.transact({
          compare: [{ key: `${at}a`, target: "modRevision", value: 0 }],
          success: [put(`${at}a`, value)],
          failure: [{ kind: "range", range: { start: `${at}a` } }],
        });
      const made = await create("1");
      assert.equal(made.succeeded, true);
      const refused = await create("2");
      assert.equal(refused.succeeded, false);
      const [found] = refused.results;
      assert.deepEqual(found?.kind === "range" ? shown(found.items) : found, [`${at}a=1`]);
      const holds = async (...compare: NonNullable<Parameters<Store["transact"]>[0]["compare"]>) =>
        (await store.transact({ compare })).succeeded;
      const key = `${at}a`;
      assert.equal(await holds({ key, target: "version", value: 1 }), true);
      assert.equal(await holds({ key, target: "createRevision", is: "greater", value: made.revision }), false);
      assert.equal(await holds({ key, target: "createRevision", is: "less", value: made.revision + 1 }), true);
      assert.equal(await holds({ key, target: "modRevision", is: "not-equal", value: made.revision }), false);
      assert.equal(await holds({ key, target: "lease", value: 0 }), true);
      assert.equal(await holds({ key, target: "value", value: bytes("1") }), true);
      assert.equal(await holds({ key, target: "value", is: "greater", value: bytes("0") }), true);
      assert.equal(
        await holds({ key, target: "value", value: bytes("1") }, { key, target: "version", value: 2 }),
        false,
      );
      assert.equal(await holds({ key: `${at}none`, target: "value", value: bytes("") }), false);
    });

    test("a transaction is one revision, or none where it changes nothing", async () => {
      const at = fresh();
      await write(store, [`${at}c`, "0"]);
      const { revision, results } = await store.transact({
        success: [put(`${at}a`, "1"), put(`${at}b`, "1"), remove({ start: `${at}c` }), remove({ start: `${at}d` })],
      });
      assert.deepEqual(results, [
        { kind: "put" },
        { kind: "put" },
        { kind: "delete", deleted: 1 },
        { kind: "delete", deleted: 0 },
      ]);
      const { items } = await store.range(prefixRange(at));
      assert.deepEqual(
        items.map(({ modRevision }) => modRevision),
        [revision, revision],
      );
      assert.equal((await store.transact({ success: [remove({ start: `${at}d` })] })).revision, revision);
    });

    test("a key cannot change twice in a transaction", async () => {
      const at = fresh();
      const twice = [
        [put(`${at}a`, "1"), put(`${at}a`, "2")],
        [put(`${at}a`, "1"), remove(prefixRange(at))],
      ];
      for (const success of twice) await assert.rejects(store.transact({ success }), InvalidArgument);
      await assert.rejects(store.transact({ success: [put("", "1")] }), InvalidArgument);
      assert.equal((await store.range(prefixRange(at))).count, 0);
    });

    test("values are bytes, however many", async () => {
      const at = fresh();
      const value = Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 251);
      const view = Buffer.concat([Buffer.from("before"), value, Buffer.from("after")]).subarray(6, 6 + value.length);
      await store.transact({ success: [{ kind: "put", key: `${at}a`, value: view }, put(`${at}b`, "")] });
      const { items } = await store.range(prefixRange(at));
      assert.deepEqual(
        items.map((item) => Buffer.compare(item.value, item.key === `${at}a` ? value : bytes(""))),
        [0, 0],
      );
    });

    test("a watch tells what happens, in whole revisions", async () => {
      const at = fresh();
      await using watch = store.watch(prefixRange(at), { previous: true });
      await watch.ready;
      const first = await write(store, [`${at}a`, "1"], [`${at}b`, "1"]);
      await write(store, [`${fresh()}elsewhere`, "1"]);
      const third = (await store.transact({ success: [put(`${at}a`, "2"), remove({ start: `${at}b` })] })).revision;
      const batches = await take(watch, 4);
      assert.deepEqual(events(batches), [
        `${first} ${at}a=1`,
        `${first} ${at}b=1`,
        `${third} ${at}a=2 (was 1)`,
        `${third} ${at}b gone (was 1)`,
      ]);
      assert.deepEqual(
        batches.map(({ revision }) => revision),
        [first, third],
      );
    });

    test("a watch from the past tells it first, and misses nothing after", async () => {
      const at = fresh();
      const revisions: number[] = [];
      for (let index = 0; index < 20; index++) revisions.push(await write(store, [`${at}${index % 3}`, `${index}`]));
      const from = revisions[5] ?? 0;
      await using watch = store.watch(prefixRange(at), { from });
      const writing = (async () => {
        for (let index = 20; index < 60; index++) revisions.push(await write(store, [`${at}${index % 3}`, `${index}`]));
      })();
      const seen = events(await take(watch, 55));
      await writing;
      assert.deepEqual(
        seen,
        revisions.slice(5).map((revision, index) => `${revision} ${at}${(index + 5) % 3}=${index + 5}`),
      );
    });

    test("a watch of a later revision tells nothing before it", async () => {
      const at = fresh();
      const now = await write(store, [`${at}a`, "0"]);
      await using watch = store.watch({ start: `${at}a` }, { from: now + 2 });
      await watch.ready;
      await write(store, [`${at}a`, "1"]);
      const second = await write(store, [`${at}a`, "2"]);
      assert.deepEqual(events(await take(watch, 1)), [`${second} ${at}a=2`]);
    });

    test("a slow consumer is told everything all the same", async () => {
      const at = fresh();
      await using watch = store.watch(prefixRange(at));
      await watch.ready;
      const expected: string[] = [];
      for (let index = 0; index < 60; index++) {
        const many = Array.from({ length: 50 }, (_, each) => [`${at}${each}`, `${index}`] as [string, string]);
        const revision = await write(store, ...many);
        for (const [key, value] of many) expected.push(`${revision} ${key}=${value}`);
      }
      assert.deepEqual(events(await take(watch, expected.length)), expected);
    });

    test("a watch that is disposed ends", async () => {
      const watch = store.watch(prefixRange(fresh()));
      await watch.ready;
      const ended = take(watch, 1);
      await watch[Symbol.asyncDispose]();
      assert.deepEqual(await ended, []);
    });

    test("a lease takes its keys along", async () => {
      const at = fresh();
      const { id, ttl } = await store.grantLease(60);
      assert.equal(ttl, 60);
      await write(store, [`${at}a`, "1", id], [`${at}b`, "1", id], [`${at}c`, "1"]);
      // A put without it takes a key from it.
      await write(store, [`${at}b`, "2"]);
      const lease = await store.lease(id);
      assert.deepEqual([lease.keys, lease.ttl, lease.remaining > 50], [[`${at}a`], 60, true]);
      assert.equal(await store.keepLeaseAlive(id), 60);
      await using watch = store.watch(prefixRange(at));
      await watch.ready;
      await store.revokeLease(id);
      const [batch] = await take(watch, 1);
      assert.deepEqual(
        batch?.events.map((event) => event.kind === "delete" && event.key),
        [`${at}a`],
      );
      assert.deepEqual(shown((await store.range(prefixRange(at))).items), [`${at}b=2`, `${at}c=1`]);
      for (const use of [
        () => store.lease(id),
        () => store.keepLeaseAlive(id),
        () => store.revokeLease(id),
        () => write(store, ["a", "1", id]),
      ])
        await assert.rejects(use, NotFound);
    });

    test("what was compacted cannot be read or watched, and the rest is as it was", async () => {
      const at = fresh();
      const first = await write(store, [`${at}a`, "1"], [`${at}b`, "1"]);
      const second = await write(store, [`${at}a`, "2"]);
      const third = (await store.transact({ success: [remove({ start: `${at}b` })] })).revision;
      await store.compact(second);
      assert.equal((await store.status()).compactRevision, second);
      await assert.rejects(store.range(prefixRange(at), { revision: first }), Compacted);
      await assert.rejects(store.compact(second), Compacted);
      await assert.rejects(store.compact(third + 1000), InvalidArgument);
      await using late = store.watch(prefixRange(at), { from: first });
      await assert.rejects(late.ready, Compacted);
      await assert.rejects(take(late, 1), (error: unknown) => {
        return error instanceof Compacted && error.compactRevision === second;
      });
      assert.deepEqual(shown((await store.range(prefixRange(at), { revision: second })).items), [
        `${at}a=2`,
        `${at}b=1`,
      ]);
      await using watch = store.watch(prefixRange(at), { from: second });
      assert.deepEqual(events(await take(watch, 2)), [`${second} ${at}a=2`, `${third} ${at}b gone`]);
    });

    test("of many who make the same key, one succeeds", async () => {
      const at = fresh();
      const attempts = Array.from({ length: 50 }, (_, index) =>
        store.transact({
          compare: [{ key: `${at}a`, target: "createRevision", value: 0 }],
          success: [put(`${at}a`, `${index}`)],
        }),
      );
      assert.equal((await Promise.all(attempts)).filter(({ succeeded }) => succeeded).length, 1);
    });

    test("it does what a plain map does, whatever is asked", async () => {
      const key = fc.constantFrom("a", "b", "b/c", "d");
      const operation = fc.oneof(
        fc.record({ kind: fc.constant("put" as const), key, value: fc.string({ maxLength: 5 }) }),
        fc.record({ kind: fc.constant("delete" as const), key }),
        fc.record({ kind: fc.constant("clear" as const), key }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
          const at = fresh();
          const model = new Map<string, string>();
          const states: { readonly revision: number; readonly state: string[] }[] = [];
          for (const step of operations) {
            const range = step.kind === "clear" ? prefixRange(at + step.key) : { start: at + step.key };
            const change = step.kind === "put" ? put(at + step.key, step.value) : remove(range);
            const { revision } = await store.transact({ success: [change] });
            if (step.kind === "put") model.set(at + step.key, step.value);
            else for (const each of [...model.keys()]) if (inRange(each, range)) model.delete(each);
            const state = [...model].toSorted(([a], [b]) => compareKeys(a, b)).map(([k, v]) => `${k}=${v}`);
            states.push({ revision, state });
          }
          for (const { revision, state } of states) {
            assert.deepEqual(shown((await store.range(prefixRange(at), { revision })).items), state);
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}
