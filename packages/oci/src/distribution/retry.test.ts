import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { nextQuery } from "./pages.ts";
import { Retries, retryAfterMs } from "./retry.ts";

/** The pauses that a series of failures leads to; undefined for none. */
async function pauses(
  retries: Retries,
  clock: FakeClock,
  failures: number,
  header?: string,
): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  for (let n = 0; n < failures; n++) {
    const start = clock.monotonic();
    const state = { settled: false };
    const waiting = retries.next(header, undefined).finally(() => {
      state.settled = true;
    });
    await clock.advance(0);
    while (!state.settled) await clock.advance(1);
    seen.push((await waiting) ? clock.monotonic() - start : undefined);
  }
  return seen;
}

test("pauses double up to the longest, and tries are counted", async () => {
  const clock = new FakeClock();
  const retries = new Retries({ attempts: 6, baseMs: 100, maxMs: 500 }, clock, () => 1);
  assert.deepEqual(await pauses(retries, clock, 6), [100, 200, 400, 500, 500, undefined]);
});

test("jitter takes up to half of a pause", async () => {
  const clock = new FakeClock();
  const retries = new Retries({ attempts: 3, baseMs: 100 }, clock, () => 0);
  assert.deepEqual(await pauses(retries, clock, 2), [50, 100]);
});

test("Retry-After goes before our own pause, unless it does not fit the budget", async () => {
  const clock = new FakeClock(1000);
  const retries = new Retries({ attempts: 9, budgetMs: 5000 }, clock);
  assert.deepEqual(await pauses(retries, clock, 3, "2"), [2000, 2000, undefined]);
});

test("progress starts the count and the budget anew", async () => {
  const clock = new FakeClock();
  const retries = new Retries({ attempts: 2, baseMs: 10, budgetMs: 50 }, clock, () => 1);
  assert.deepEqual(await pauses(retries, clock, 2), [10, undefined]);
  await clock.advance(100);
  retries.progressed();
  assert.deepEqual(await pauses(retries, clock, 2), [10, undefined]);
});

test("Retry-After as seconds, as a date, as nonsense", () => {
  assert.equal(retryAfterMs("120", 0), 120_000);
  assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6000);
  assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:10 GMT", 40_000), 0);
  assert.equal(retryAfterMs("soon", 0), undefined);
  assert.equal(retryAfterMs(undefined, 0), undefined);
});

test("the link to the next page", () => {
  assert.equal(nextQuery(`</v2/a/tags/list?last=b&n=2>; rel="next"`), "last=b&n=2");
  assert.equal(nextQuery(`<https://x/prev?a=1>; rel="prev", <https://x/next?a=2>; rel=next`), "a=2");
  assert.equal(nextQuery(`</v2/a/tags/list>; rel="next"`), undefined);
  assert.equal(nextQuery(`</v2/?x>; rel="prev"`), undefined);
  assert.equal(nextQuery(undefined), undefined);
});
