import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { NotFound } from "./errors.ts";
import { WorkerPool } from "./worker-pool.ts";

const source = new URL("./worker-pool.test-worker.ts", import.meta.url);

test("tasks are shared by few workers, errors keep their class, idle workers end", async () => {
  await using pool = new WorkerPool({ name: "pool-test", source, workers: 2, idleMilliseconds: 50 });
  const progress: unknown[] = [];
  const running = [1, 2, 3, 4, 5].map((n) =>
    pool.run<number>({ what: "double", n }, { onProgress: (message) => void progress.push(message) }),
  );
  assert.equal(pool.size, 2);
  assert.deepEqual(await Promise.all(running), [2, 4, 6, 8, 10]);
  assert.equal(progress.length, 5);
  const failure = await pool.run({ what: "fail" }).catch((error: unknown) => error);
  assert.ok(failure instanceof NotFound);
  assert.deepEqual([failure.message, failure.remedy, failure.subject?.kind], ["no such thing", "make one", "thing"]);
  for (let waited = 0; pool.size > 0 && waited < 5000; waited += 20) await delay(20);
  assert.equal(pool.size, 0);
});

test("a cancelled task ends with the signal's reason, running or waiting", async () => {
  await using pool = new WorkerPool({ name: "pool-test", source, workers: 1 });
  const controller = new AbortController();
  const running = pool.run({ what: "wait" }, { signal: controller.signal });
  const waiting = pool.run({ what: "double" }, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await Promise.all([assert.rejects(running, /enough/), assert.rejects(waiting, /enough/)]);
  assert.equal(await pool.run({ what: "double", n: 4 }), 8);
});

test("a worker that dies fails its tasks and is replaced", async () => {
  await using pool = new WorkerPool({ name: "pool-test", source, workers: 1 });
  await assert.rejects(pool.run({ what: "die" }), { code: "Internal", message: /ended unexpectedly with status 3/ });
  assert.equal(await pool.run({ what: "double", n: 1 }), 2);
});

test("a task that comes as its worker ends for having been idle gets another one", async () => {
  await using pool = new WorkerPool({ name: "pool-test", source, workers: 1, idleMilliseconds: 5 });
  for (let n = 0; n < 15; n++) {
    assert.equal(await pool.run({ what: "double", n }), 2 * n);
    // Just after the timer of an idle worker, and before that worker is gone.
    await delay(5);
    await new Promise((done) => setImmediate(done));
  }
});
