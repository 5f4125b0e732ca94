import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce, inTurns } from "@boxship/base";
import { findInTurns, matchInTurns } from "./search-in-turns.ts";

test("what takes long to be found is searched for in another thread, and found as here", async () => {
  const long = `${"ab".repeat(5000)}-c`;
  for (const [pattern, found] of [
    ["a.{299}-", true],
    ["a.{299}-[^c]", false],
  ] as const) {
    assert.equal(inTurns(matchInTurns(pattern, "ab")), false, "at once");
    const looking = inTurns(matchInTurns(pattern, long));
    assert.ok(looking instanceof Promise);
    assert.equal(await looking, found);
    assert.equal(atOnce(matchInTurns(pattern, long)), found);
  }
  const finding = inTurns(findInTurns("(ab){900}|-c", long, 9));
  assert.ok(finding instanceof Promise);
  assert.deepEqual(await finding, [...Array.from({ length: 5 }, () => "ab".repeat(900)), "-c"]);
  assert.deepEqual(atOnce(findInTurns("(ab){900}|-c", long, 1)), ["ab".repeat(900)]);
});
