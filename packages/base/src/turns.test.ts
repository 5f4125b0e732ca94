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
  const other = AbortSignal.timeout(1);
  function* untilOtherIsDone(): Turns<string> {
    while (!other.aborted) yield;
    return "done";
  }
  assert.equal(await inTurns(untilOtherIsDone()), "done");
  assert.equal(atOnce(count(5)), 5);
  assert.throws(() => atOnce(count(13)), RangeError);
  await assert.rejects(async () => await inTurns(count(13)), RangeError);
});
