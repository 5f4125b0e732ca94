import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { Compacted } from "../compacted.ts";
import { prefixRange } from "../key-range.ts";
import { storeSuite } from "../testing/store-suite.ts";
import { openMemoryStore } from "./open-memory-store.ts";

const put = (key: string, lease = 0) => ({ kind: "put", key, value: new Uint8Array(1), lease }) as const;

storeSuite("memory", async () => {
  const store = openMemoryStore();
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

test("keeps so many old revisions, and of the others no more than as many", async () => {
  await using store = openMemoryStore({ keep: 10 });
  for (let index = 0; index < 100; index++) await store.transact({ success: [put("a")] });
  const { compactRevision, revision } = await store.status();
  assert.ok(revision - compactRevision >= 10 && revision - compactRevision <= 20, `${compactRevision} of ${revision}`);
  const [item] = (await store.range({ start: "a" }, { revision: revision - 10 })).items;
  assert.equal(item?.modRevision, revision - 10);
  await assert.rejects(store.range({ start: "a" }, { revision: revision - 21 }), Compacted);
});

test("a lease ends when its time is over, and takes its keys along", async () => {
  const clock = new FakeClock();
  await using store = openMemoryStore({ clock });
  const { id } = await store.grantLease(10);
  await store.transact({ success: [put("a", id), put("b")] });
  await clock.advance(9000);
  await store.keepLeaseAlive(id);
  await clock.advance(9000);
  assert.equal((await store.range(prefixRange(""))).count, 2);
  await clock.advance(1000);
  assert.deepEqual(
    (await store.range(prefixRange(""))).items.map(({ key }) => key),
    ["b"],
  );
});
