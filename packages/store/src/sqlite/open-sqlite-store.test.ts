import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AlreadyExists, FailedPrecondition, FakeClock, ResourceExhausted } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import type { Store } from "../contract.ts";
import { prefixRange } from "../key-range.ts";
import { storeSuite } from "../testing/store-suite.ts";
import { openSqliteStore } from "./open-sqlite-store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value: Uint8Array, lease = 0) => ({ kind: "put", key, value, lease }) as const;

storeSuite("sqlite", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("store"));
  const store = stack.use(await openSqliteStore({ path: directory.join("state.db") }));
  const owned = stack.move();
  return { store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
});

test("what was written is there after a new start, and so are leases and the compaction", async () => {
  await using directory = tempDir("store");
  const path = directory.join("state.db");
  let revision = 0;
  let lease = 0;
  {
    await using store = await openSqliteStore({ path });
    ({ id: lease } = await store.grantLease(100));
    await store.transact({ success: [put("a", bytes("1"))] });
    await store.transact({ success: [put("b", bytes("1"), lease)] });
    ({ revision } = await store.transact({ success: [put("a", bytes("2"))] }));
    await store.compact(revision);
  }
  await using store = await openSqliteStore({ path });
  const { items, revision: now } = await store.range(prefixRange(""));
  assert.deepEqual(
    items.map(({ key, version }) => [key, version]),
    [
      ["a", 2],
      ["b", 1],
    ],
  );
  assert.deepEqual([now, (await store.status()).compactRevision], [revision, revision]);
  assert.deepEqual((await store.lease(lease)).keys, ["b"]);
  assert.equal((await store.transact({ success: [put("c", bytes("1"))] })).revision, revision + 1);
});

test("a lease ends when its time is over, and not while it is kept alive", async () => {
  await using directory = tempDir("store");
  const clock = new FakeClock();
  await using store = await openSqliteStore({ path: directory.join("state.db"), clock });
  const { id } = await store.grantLease(10);
  await store.transact({ success: [put("a", bytes("1"), id)] });
  await using watch = store.watch({ start: "a" });
  await clock.advance(9000);
  assert.equal((await store.lease(id)).remaining, 1);
  await store.keepLeaseAlive(id);
  await clock.advance(9000);
  assert.equal((await store.range({ start: "a" })).count, 1);
  await clock.advance(1000);
  for await (const { events } of watch) {
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["delete"],
    );
    break;
  }
  assert.equal((await store.range({ start: "a" })).count, 0);
});

test("a watch tells of quiet times", async () => {
  await using directory = tempDir("store");
  const clock = new FakeClock();
  await using store = await openSqliteStore({ path: directory.join("state.db"), clock });
  await using watch = store.watch({ start: "a" }, { progress: 1000 });
  const { revision } = await store.transact({ success: [put("b", bytes("1"))] });
  await clock.advance(1000);
  for await (const batch of watch) {
    assert.deepEqual(batch, { revision, events: [] });
    break;
  }
});

test("space that a compaction frees is used again", async () => {
  await using directory = tempDir("store");
  await using store = await openSqliteStore({ path: directory.join("state.db") });
  const value = new Uint8Array(10_000);
  const sizes: number[] = [];
  for (let round = 0; round < 6; round++) {
    let revision = 0;
    for (let index = 0; index < 300; index++) {
      ({ revision } = await store.transact({ success: [put(`/key/${index % 5}`, value)] }));
    }
    await store.compact(revision);
    for (let waited = 0; waited < 200 && (await store.status()).sizeInUse > 500_000; waited++) await delay(10);
    const { size, sizeInUse } = await store.status();
    assert.ok(sizeInUse < 500_000, `${sizeInUse} bytes are in use by five keys`);
    sizes.push(size);
  }
  assert.ok((sizes.at(-1) ?? 0) < 10_000_000, sizes.join(", "));
  assert.deepEqual(await store.check(), []);
});

/** Writes until the store is full, and looks at what it has then. */
async function fillUp(store: Store, reason: RegExp): Promise<void> {
  const value = new Uint8Array(20_000);
  let written = 0;
  const fill = async (): Promise<never> => {
    for (;;) {
      await store.transact({ success: [put(`/fill/${written}`, value), put(`/also/${written}`, bytes("1"))] });
      written++;
    }
  };
  await assert.rejects(fill(), (error: unknown) => {
    return error instanceof ResourceExhausted && reason.test(error.message) && error.remedy !== undefined;
  });
  assert.ok(written > 10);
  for (const prefix of ["/fill/", "/also/"]) {
    assert.equal((await store.range(prefixRange(prefix), { countOnly: true })).count, written);
  }
}

test("a full store refuses to write, reads on, and goes on when there is room", async () => {
  await using directory = tempDir("store");
  await using store = await openSqliteStore({ path: directory.join("state.db"), maxSize: 1_000_000 });
  await fillUp(store, /store is full/);
  assert.deepEqual(await store.check(), []);
  const { revision } = await store.transact({ success: [{ kind: "delete", range: prefixRange("/fill/") }] });
  await store.compact(revision);
  for (let waited = 0; waited < 200 && (await store.status()).sizeInUse > 500_000; waited++) await delay(10);
  await store.transact({ success: [put("/fill/again", new Uint8Array(20_000))] });
});

test("a full disk loses nothing, and when there is room again, writing goes on", async () => {
  await using directory = tempDir("store");
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "boxship", disk]);
  const path = join(disk, "state.db");
  {
    await using store = await openSqliteStore({ path });
    await fillUp(store, /cannot grow/);
    execFileSync("mount", ["-o", "remount,size=16m", disk]);
    await store.transact({ success: [put("/fill/again", new Uint8Array(20_000))] });
    assert.deepEqual(await store.check(), []);
  }
  await using store = await openSqliteStore({ path });
  assert.equal((await store.range({ start: "/fill/again" })).count, 1);
});

test("a disk that others fill leaves room for what makes room again, also after a new start", async () => {
  await using directory = tempDir("store");
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=48m", "boxship", disk]);
  const path = join(disk, "state.db");
  await (await openSqliteStore({ path, reserve: true }))[Symbol.asyncDispose]();
  assert.throws(
    () => {
      for (;;) appendFileSync(join(disk, "rest"), Buffer.alloc(4096));
    },
    { code: "ENOSPC" },
  );
  for (const round of [1, 2]) {
    await using store = await openSqliteStore({ path, reserve: true });
    for (let index = 0; index < 50; index++) {
      await store.transact({ success: [put(`/key/${index}`, new Uint8Array(20_000))] });
    }
    await store.transact({ success: [{ kind: "delete", range: prefixRange(`/key/${round}`) }] });
  }
});

test("a backup is a store of its own", async () => {
  await using directory = tempDir("store");
  await using store = await openSqliteStore({ path: directory.join("state.db") });
  const { revision } = await store.transact({ success: [put("a", bytes("1"))] });
  await store.backup(directory.join("copy.db"));
  await store.transact({ success: [put("a", bytes("2"))] });
  await assert.rejects(store.backup(directory.join("copy.db")), AlreadyExists);
  await using copy = await openSqliteStore({ path: directory.join("copy.db") });
  const found = await copy.range({ start: "a" });
  assert.deepEqual([found.revision, found.items.map(({ value }) => Buffer.from(value).toString())], [revision, ["1"]]);
});

test("files that are no store, or one of a later program, are refused", async () => {
  await using directory = tempDir("store");
  writeFileSync(directory.join("noise"), Buffer.alloc(8192, 7));
  await assert.rejects(openSqliteStore({ path: directory.join("noise") }), (error: unknown) => {
    return error instanceof FailedPrecondition && /noise is not a store/.test(error.message);
  });
  const later = new DatabaseSync(directory.join("later.db"));
  later.exec("PRAGMA user_version = 99");
  later.close();
  await assert.rejects(openSqliteStore({ path: directory.join("later.db") }), (error: unknown) => {
    return error instanceof FailedPrecondition && /later version/.test(error.message);
  });
});
