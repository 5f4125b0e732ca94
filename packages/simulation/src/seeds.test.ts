import assert from "node:assert/strict";
import { after, test } from "node:test";
import { WorkerPool } from "@boxship/base";
import type { SeedTask } from "./seeds.test-worker.ts";

const MINUTES = 30;
/** Seeds that are tried with every fault; soaks try thousands, with more in each cluster. */
const SEEDS = Number(process.env["BOXSHIP_SIMULATION_SEEDS"] ?? 50);
const FIRST = Number(process.env["BOXSHIP_SIMULATION_FIRST"] ?? 100);
const PART = SEEDS > 50 ? 1 : 0.3;

// The test runner looks at every promise of its own thread, which costs a third of the time.
const source = new URL("./seeds.test-worker.ts", import.meta.url);
const pool = new WorkerPool({ name: "seeds-test", source });
after(() => pool[Symbol.asyncDispose]());

const tried = Array.from({ length: SEEDS }, (_, index) => {
  const task: SeedTask = { seed: FIRST + index, minutes: MINUTES, part: PART };
  const violations = pool.run<readonly string[]>(task);
  violations.catch(() => {}); // told by its own test
  return { seed: task.seed, violations };
});

for (const { seed, violations } of tried) {
  test(`loses nothing and breaks nothing with seed ${seed}`, async () => {
    assert.deepEqual(await violations, []);
  });
}
