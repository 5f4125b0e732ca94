import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { FailedPrecondition } from "@boxship/base";
import { etcdProgram, startEtcd, tempDir } from "@boxship/testkit";
import { Compacted } from "./compacted.ts";
import type { Store } from "./contract.ts";
import { COPYING_KEY, copyStore, requireWhole } from "./copy-store.ts";
import { openEtcdStore } from "./etcd/open-etcd-store.ts";
import { openSqliteReader } from "./sqlite/open-sqlite-reader.ts";
import { openSqliteStore } from "./sqlite/open-sqlite-store.ts";
import { restoreSqliteStore } from "./sqlite/restore-sqlite-store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value: string | Uint8Array, lease = 0) =>
  ({ kind: "put", key, value: typeof value === "string" ? bytes(value) : value, lease }) as const;

async function contents(store: Pick<Store, "range">): Promise<readonly string[]> {
  const { items } = await store.range({ start: "", end: "" });
  return items.map(({ key, value }) => `${key}=${Buffer.from(value).toString("base64").slice(0, 40)}/${value.length}`);
}

/** Small, large and many values, deletions, a lease, a history. @returns the lease */
async function fill(store: Store): Promise<number> {
  const { id } = await store.grantLease(600);
  for (let index = 0; index < 12; index++) {
    const success = Array.from({ length: 100 }, (_, each) => put(`/k/${index * 100 + each}`, `${index}-${each}`));
    await store.transact({ success });
  }
  for (let index = 0; index < 4; index++)
    await store.transact({ success: [put(`/large/${index}`, new Uint8Array(700_000).fill(index))] });
  await store.transact({ success: [{ kind: "delete", range: { start: "/k/7" } }] });
  await store.transact({ success: [put("/event", "ends", id), put("/ключ", "ü")] });
  return id;
}

test("a snapshot is taken while writes go on, and restoring it uses no revision again", async () => {
  await using directory = tempDir("store");
  const path = directory.join("state.db");
  const snapshot = directory.join("snapshot.db");
  let kept: readonly string[] = [];
  let newest = 0;
  {
    await using store = await openSqliteStore({ path });
    await fill(store);
    kept = await contents(store);
    const enough = new AbortController();
    const writes = (async () => {
      while (!enough.signal.aborted) await store.transact({ success: [put("/later", String(newest++))] });
    })();
    await using reader = await openSqliteReader(path);
    await reader.backup(snapshot);
    assert.deepEqual(await reader.check(), []);
    enough.abort();
    await writes;
    ({ revision: newest } = await store.status());
  }
  const restored = await restoreSqliteStore({ snapshot, path });
  assert.ok(restored.revision > newest && restored.snapshotRevision <= newest);
  {
    await using store = await openSqliteStore({ path });
    assert.deepEqual(
      (await contents(store)).filter((line) => !line.startsWith("/later")),
      kept,
    );
    const { revision } = await store.transact({ success: [put("/new", "1")] });
    assert.equal(revision, restored.revision + 1);
    await using watch = store.watch({ start: "", end: "" }, { from: newest });
    await assert.rejects(watch.ready, Compacted);
    assert.deepEqual(await store.check(), []);
  }
  // What was replaced is a store still.
  {
    await using replaced = await openSqliteStore({ path: restored.replaced ?? "" });
    assert.equal((await replaced.status()).revision, newest);
  }
  assert.equal(restored.revision, newest + 1, "no further than what was there: to raise etcd's costs a write for each");
  const lost = await restoreSqliteStore({ snapshot, path: directory.join("lost.db") });
  assert.equal(lost.revision, restored.snapshotRevision + 1_000_000, "nobody knows how far it was");
});

test("what is no sound snapshot changes nothing", async () => {
  await using directory = tempDir("store");
  const path = directory.join("state.db");
  {
    await using store = await openSqliteStore({ path });
    await store.transact({ success: [put("a", "1")] });
  }
  const whole = directory.join("whole");
  {
    await using store = await openSqliteStore({ path: directory.join("full.db") });
    await fill(store);
    await store.backup(whole);
  }
  await openSqliteStore({ path: directory.join("nothing") }).then((store) => store[Symbol.asyncDispose]());
  writeFileSync(directory.join("noise"), Buffer.alloc(8192, 7));
  writeFileSync(directory.join("empty"), "");
  writeFileSync(directory.join("cut"), readFileSync(whole).subarray(0, 100_000));
  using other = new DatabaseSync(directory.join("other"));
  other.exec("CREATE TABLE live (key)");
  for (const name of ["noise", "empty", "cut", "other", "nothing", "missing", ""]) {
    const snapshot = directory.join(name);
    await assert.rejects(restoreSqliteStore({ snapshot, path }), (error: unknown) => {
      return error instanceof FailedPrecondition && error.message.startsWith(`${snapshot} `);
    });
  }
  const left = readdirSync(directory.path).filter((name) => /restoring|replaced/.test(name));
  assert.deepEqual(left, []);
  await using store = await openSqliteStore({ path });
  assert.equal((await store.range({ start: "a" })).count, 1);
});

for (const release of ["stable", "current"] as const) {
  describe(`from SQLite to etcd (${release}) and back`, {
    skip: etcdProgram(release) === undefined ? "etcd is not on this machine" : false,
  }, () => {
    test("everything is there, and no revision means two things", async () => {
      await using directory = tempDir("store");
      await using etcd = await startEtcd({ release });
      await using first = await openSqliteStore({ path: directory.join("first.db") });
      await using remote = await openEtcdStore(etcd);
      await fill(first);
      const kept = await contents(first);
      const { revision: old } = await first.status();
      const there = await copyStore(first, remote);
      assert.deepEqual([there.keys, there.sourceRevision], [kept.length, old]);
      assert.deepEqual(await contents(remote), kept);
      assert.ok(there.revision >= old);
      assert.equal((await remote.status()).compactRevision, there.revision);
      const [event] = (await remote.range({ start: "/event" })).items;
      const { remaining, keys } = await remote.lease(event?.lease ?? 0);
      assert.ok(remaining > 300 && remaining <= 600);
      assert.deepEqual(keys, ["/event"]);
      await assert.rejects(copyStore(first, remote), FailedPrecondition);

      await using back = await openSqliteStore({ path: directory.join("back.db") });
      await remote.transact({ success: [put("/there", "1")] });
      const returned = await copyStore(remote, back);
      assert.deepEqual(await contents(back), await contents(remote));
      assert.ok(returned.revision >= returned.sourceRevision && returned.sourceRevision > old);
      await using late = back.watch({ start: "", end: "" }, { from: old });
      await assert.rejects(late.ready, Compacted);
      assert.deepEqual(await back.check(), []);

      // A copy that was cut short is told, and simply made again.
      await remote.transact({ success: [put(COPYING_KEY, "")] });
      await assert.rejects(requireWhole(remote), FailedPrecondition);
      await copyStore(back, remote, { replace: true });
      await requireWhole(remote);
      assert.deepEqual(await contents(remote), await contents(back));
    });
  });
}
