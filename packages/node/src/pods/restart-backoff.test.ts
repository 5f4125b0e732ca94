import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { RestartBackoff } from "./restart-backoff.ts";

test("the wait doubles from the second restart on, and is forgotten after a long run", async () => {
  const clock = new FakeClock(1_000_000);
  const backoff = new RestartBackoff(clock);
  const waits: number[] = [];
  for (let times = 0; times < 8; times++) {
    const endedAt = clock.now();
    const left = backoff.left("c", endedAt);
    waits.push(left / 1000);
    await clock.advance(left);
    assert.equal(backoff.left("c", endedAt), 0);
    backoff.restarted("c", endedAt);
  }
  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  await clock.advance(601_000);
  assert.equal(backoff.left("c", clock.now()), 0);
  backoff.restarted("c", clock.now());
  assert.equal(backoff.left("c", clock.now()), 10_000);
  assert.equal(backoff.left("other", clock.now()), 0);
});

test("a clock that is set back or forth does not change how long is waited", async () => {
  const hour = 3_600_000;
  const clock = new FakeClock(10 * hour);
  const backoff = new RestartBackoff(clock);
  backoff.restarted("c", clock.now());
  for (const jump of [-3 * hour, 2 * hour]) {
    const endedAt = clock.now();
    await clock.advance(4000);
    assert.equal(backoff.left("c", endedAt), 6000);
    clock.jump(jump);
    assert.equal(backoff.left("c", endedAt), 6000);
    await clock.advance(6000);
    assert.equal(backoff.left("c", endedAt), 0);
  }
  // It ended before the clock was set back, and is seen only now.
  const endedAt = clock.now();
  clock.jump(-hour);
  assert.equal(backoff.left("c", endedAt), 10_000);
  await clock.advance(10_000);
  assert.equal(backoff.left("c", endedAt), 0);
});
