import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce, inTurns, type Turns } from "./turns.ts";

function* count(to: number): Turns<number> {
  for (let at = 0; at < to; at++) yield undefined;
  if (to === 13) throw new RangeError("thirteen");
  return to;
}

test("work that gives way lets others have their turns in between, and has its result in the end", async () => {
  assert.equal(inTurns(count(0)), 0, "what needs one turn is not waited for");
  const other = AbortSignal.timeout(1);
  function* untilOtherIsDone(): Turns<string> {
    while (!other.aborted) yield undefined;
    return "done";
  }
  assert.equal(await inTurns(untilOtherIsDone()), "done");
  assert.equal(atOnce(count(5)), 5);
  assert.throws(() => atOnce(count(13)), RangeError);
  await assert.rejects(async () => await inTurns(count(13)), RangeError);
});

test("an errand is done here where all is done at once, and elsewhere where there are turns", async () => {
  const done: string[] = [];
  const errand = {
    now: () => void done.push("here"),
    away: async () => void done.push("elsewhere"),
  };
  function* twice(): Turns<number> {
    yield errand;
    yield undefined;
    yield errand;
    return done.length;
  }
  assert.equal(atOnce(twice()), 2);
  assert.equal(await inTurns(twice()), 4);
  assert.deepEqual(done, ["here", "here", "elsewhere", "elsewhere"]);
});
