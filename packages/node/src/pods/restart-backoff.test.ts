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
