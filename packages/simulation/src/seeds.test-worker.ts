import { serveTasks } from "@boxship/base";
import { describeFault, type Fault, planFaults } from "./faults.ts";
import { nodesOf } from "./scenario.ts";
import { shrinkFaults } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { variedLoad } from "./varied-load.ts";

export interface SeedTask {
  readonly seed: number;
  readonly minutes: number;
  /** Of the usual load, from 0 to 1. */
  readonly part: number;
}

/** What is violated with a seed, and which of its faults are enough for that; empty when all holds. */
serveTasks(async ({ seed, minutes, part }: SeedTask): Promise<readonly string[]> => {
  const loads = variedLoad(seed, 3, part);
  const run = async (faults: readonly Fault[]) => (await simulate({ seed, loads, minutes, faults })).violations;
  const faults = planFaults(seed, minutes, nodesOf(loads));
  const violations = await run(faults);
  if (violations.length === 0) return [];
  const needed = await shrinkFaults(faults, async (some) => (await run(some)).length > 0);
  return [...violations, "for which these are enough:", ...needed.map(describeFault)];
});
