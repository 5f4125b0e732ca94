import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce, inTurns, type Turns } from "./turns.ts";

function* count(to: number): Turns<number> {
  for (let at = 0; at < to; at++) yield;
  if (to === 13) throw new RangeError("thirteen");
  return to;
}

test("work that gives way lets others have their turns in between, and has its result in the end", async () => {
  assert.equal(inTurns(count(0)), 0, "what needs one turn is not waited for");
  let others = 0;
  const timer = setInterval(() => others++, 0);
  const until = performance.now() + 20;
  function* slow(): Turns<string> {
    while (performance.now() < until || others === 0) yield;
    return "done";
  }
  assert.equal(await inTurns(slow()), "done");
  clearInterval(timer);
  assert.ok(others > 0);
  assert.equal(atOnce(count(5)), 5);
  assert.throws(() => atOnce(count(13)), RangeError);
  await assert.rejects(async () => await inTurns(count(13)), RangeError);
});
