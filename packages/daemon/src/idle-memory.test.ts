import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { IdleMemory } from "./idle-memory.ts";

test("memory is released once after each spell of work, and no timer runs while nothing is asked", async () => {
  const clock = new FakeClock();
  let released = 0;
  using idle = new IdleMemory(clock, () => released++);
  assert.equal(clock.waiting, 0);
  idle.work();
  await clock.advance(4000);
  idle.work();
  await clock.advance(4000);
  assert.equal(released, 0);
  await clock.advance(1000);
  assert.deepEqual([released, clock.waiting], [1, 0]);
  await clock.advance(60_000);
  assert.equal(released, 1);
  idle.work();
  await clock.advance(5000);
  assert.equal(released, 2);
});
