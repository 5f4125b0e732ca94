import assert from "node:assert/strict";
import { test } from "node:test";
import { SyncGate } from "./sync-gate.ts";

test("requests during a sync share the next one", async () => {
  const runs: (() => void)[] = [];
  const gate = new SyncGate(() => new Promise((resolve) => runs.push(resolve)));
  const order: string[] = [];
  const pass = (name: string) => gate.pass().then(() => order.push(name));
  const first = pass("first");
  const others = [pass("second"), pass("third")];
  assert.equal(runs.length, 1);
  runs[0]?.();
  await first;
  await new Promise(setImmediate);
  assert.equal(runs.length, 2);
  assert.deepEqual(order, ["first"]);
  const late = pass("late");
  runs[1]?.();
  await Promise.all(others);
  await new Promise(setImmediate);
  assert.equal(runs.length, 3);
  runs[2]?.();
  await late;
  assert.deepEqual(order, ["first", "second", "third", "late"]);
});

test("a failed sync fails those that shared it and nobody else", async () => {
  let calls = 0;
  const gate = new SyncGate(async () => {
    if (++calls === 1) throw new Error("disk gone");
  });
  const [first, second] = await Promise.allSettled([gate.pass(), gate.pass()]);
  assert.equal(first?.status, "rejected");
  assert.equal(second?.status, "fulfilled");
});
