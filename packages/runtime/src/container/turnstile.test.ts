import assert from "node:assert/strict";
import { test } from "node:test";
import { Turnstile } from "./turnstile.ts";

test("callers pass in order, with other work of the loop between them", async () => {
  const turnstile = new Turnstile();
  const seen: string[] = [];
  const tick = setImmediate(function again() {
    seen.push("loop");
    if (seen.length < 20) setImmediate(again);
  });
  await Promise.all([1, 2, 3].map((number) => turnstile.pass().then(() => seen.push(String(number)))));
  clearImmediate(tick);
  assert.equal(seen[0], "1");
  assert.deepEqual(
    seen.filter((what) => what !== "loop"),
    ["1", "2", "3"],
  );
  assert.ok(seen.indexOf("loop") < seen.indexOf("3"));
});
