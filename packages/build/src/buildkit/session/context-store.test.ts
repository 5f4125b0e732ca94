import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { WholeCache } from "../services/usage.ts";
import { RecordingSolver } from "../testing/test-door.ts";
import { ContextStore } from "./context-store.ts";

const DAY = 24 * 3_600_000;

/** A copy as a build would have left it. */
function slot(directory: string, id: string, lastUsed: number, size: number): void {
  mkdirSync(`${directory}/${id}/tree`, { recursive: true });
  const record = { key: id, name: "context", size, created: lastUsed, lastUsed, uses: 1 };
  writeFileSync(`${directory}/${id}/slot.json`, JSON.stringify(record));
}

test("copies that are old, too many or were never finished are removed", async () => {
  await using directory = tempDir("contexts");
  const clock = new FakeClock();
  const now = clock.now();
  const store = new ContextStore({ directory: directory.path, clock });
  slot(directory.path, "new.0", now, 6 * 2 ** 30);
  slot(directory.path, "newer.0", now - 1000, 3 * 2 ** 30);
  slot(directory.path, "surplus.0", now - 2000, 2 * 2 ** 30);
  slot(directory.path, "old.0", now - 8 * DAY, 1);
  mkdirSync(directory.join("unfinished.0/tree"), { recursive: true });
  await store.collect();
  assert.deepEqual(readdirSync(directory.path).sort(), ["new.0", "newer.0"]);
  assert.equal(await store.remove("../new.0"), false);
});

test("pruning keeps what is asked to be kept, the oldest go first", async () => {
  await using directory = tempDir("contexts");
  const store = new ContextStore({ directory: directory.path, clock: new FakeClock() });
  const cache = new WholeCache(new RecordingSolver().cache, store);
  slot(directory.path, "a.0", 1000, 100);
  slot(directory.path, "b.0", 2000, 100);
  slot(directory.path, "c.0", 3000, 100);
  assert.equal((await cache.prune({ keepBytes: 1000 })).removed.length, 0);
  const { removed, reclaimed } = await cache.prune({ keepBytes: 250 });
  assert.deepEqual(
    removed.map(({ id }) => id),
    ["a.0"],
  );
  assert.equal(reclaimed, 100);
  assert.equal((await cache.prune({ matches: ({ id }) => id === "c.0" })).removed.length, 1);
  assert.equal((await cache.prune()).removed.length, 1);
});
