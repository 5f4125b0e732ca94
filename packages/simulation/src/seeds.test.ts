import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFault, type Fault, planFaults } from "./faults.ts";
import { shrinkFaults } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { variedLoad } from "./varied-load.ts";

const MINUTES = 30;
/** Seeds that are tried with every fault; soaks try thousands, with more in each cluster. */
const SEEDS = Number(process.env["BOXSHIP_SIMULATION_SEEDS"] ?? 50);
const FIRST = Number(process.env["BOXSHIP_SIMULATION_FIRST"] ?? 100);
const PART = SEEDS > 50 ? 1 : 0.3;

for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  test(`loses nothing and breaks nothing with seed ${seed}`, async () => {
    const loads = variedLoad(seed, 3, PART);
    const run = async (faults: readonly Fault[]) =>
      (await simulate({ seed, loads, minutes: MINUTES, faults })).violations;
    const faults = planFaults(seed, MINUTES, 3);
    const violations = await run(faults);
    if (violations.length === 0) return;
    const needed = await shrinkFaults(faults, async (some) => (await run(some)).length > 0);
    assert.fail([...violations, "for which these are enough:", ...needed.map(describeFault)].join("\n"));
  });
}
