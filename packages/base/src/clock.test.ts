import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./clock.ts";

test("a time longer than a timer of Node can wait does not pass at once", async () => {
  let fired = false;
  using _long = systemClock.setTimeout(2 ** 62, () => (fired = true));
  using _endless = systemClock.setTimeout(Number.POSITIVE_INFINITY, () => (fired = true));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(fired, false);
});

test("a timer that is disposed does not fire, one that is not does", async () => {
  let fired = 0;
  systemClock.setTimeout(1, () => fired++)[Symbol.dispose]();
  systemClock.setTimeout(1, () => fired++).ref();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(fired, 1);
});
