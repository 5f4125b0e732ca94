import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger as logger } from "@boxship/base";
import fc from "fast-check";
import { RateLimiter } from "./rate-limiter.ts";
import { runWorkers } from "./run-workers.ts";
import { WorkQueue } from "./work-queue.ts";

test("an item waits once, and comes again when it was added while it was worked on", async () => {
  using queue = new WorkQueue<string>();
  queue.add("a");
  queue.add("a");
  queue.add("b");
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(), "a");
  queue.add("a");
  queue.add("a");
  assert.equal(await queue.take(), "b");
  assert.equal(queue.length, 0, "not to a second worker");
  queue.done("a");
  assert.equal(await queue.take(), "a");
  queue.done("a");
  assert.equal(queue.length, 0);
});

test("of several times to come, the earliest counts", async () => {
  const clock = new FakeClock();
  using queue = new WorkQueue<string>({ clock });
  queue.addAfter("a", 500);
  queue.addAfter("a", 100);
  queue.addAfter("a", 900);
  await clock.advance(99);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(queue.length, 1);
  await clock.advance(1000);
  assert.equal(queue.length, 1);
});

test("a failing item waits twice as long each time, up to the most, and anew after it went well", () => {
  const limiter = new RateLimiter<string>(new FakeClock(), { base: 5, most: 100, perSecond: 1e9 });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map(() => limiter.wait("a")),
    [5, 10, 20, 40, 80, 100, 100],
  );
  limiter.forget("a");
  assert.equal(limiter.wait("a"), 5);
});

test("all together wait when there are too many in a second", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter<number>(clock, { base: 0, burst: 3, perSecond: 10 });
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((item) => limiter.wait(item)),
    [0, 0, 0, 100, 200],
  );
  await clock.advance(10_000);
  assert.deepEqual(
    [1, 2, 3, 4].map((item) => limiter.wait(item + 10)),
    [0, 0, 0, 100],
  );
});

test("workers do everything, no item twice at once, and what fails comes again", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue<number>({ clock });
  const working = new Set<number>();
  const done: number[] = [];
  let failures = 0;
  const finished = runWorkers(queue, {
    workers: 3,
    logger,
    reconcile: async (item) => {
      assert.ok(!working.has(item));
      working.add(item);
      await new Promise((resolve) => setImmediate(resolve));
      working.delete(item);
      if (item % 2 === 1 && queue.failures(item) < 2) {
        failures++;
        throw new Error("not yet");
      }
      done.push(item);
    },
  });
  for (let item = 0; item < 10; item++) queue.add(item);
  for (let round = 0; round < 20; round++) await clock.advance(100);
  queue[Symbol.dispose]();
  await finished;
  assert.deepEqual(
    done.toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.equal(failures, 10);
});

test("whatever is added, taken and done: nothing is lost, nothing is with two workers", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), item: fc.nat({ max: 3 }) }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("done" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      using queue = new WorkQueue<number>();
      const wanted = new Set<number>();
      const working: number[] = [];
      for (const one of steps) {
        if (one.kind === "add") {
          queue.add(one.item);
          wanted.add(one.item);
        } else if (one.kind === "take" && queue.length > 0) {
          const item = (await queue.take()) ?? -1;
          assert.ok(wanted.delete(item) && !working.includes(item));
          working.push(item);
        } else if (one.kind === "done") {
          const item = working.shift();
          if (item !== undefined) queue.done(item);
        }
      }
      for (const item of working) queue.done(item);
      assert.equal(queue.length, wanted.size);
    }),
  );
});
