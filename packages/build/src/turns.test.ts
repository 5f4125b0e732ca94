import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPlatform } from "@boxship/oci";
import { checkContainerfile } from "./check/check-file.ts";
import { DEFAULT_CHECKS } from "./check/check-options.ts";
import { Findings } from "./check/findings.ts";
import { NOTHING } from "./check/stage-scope.ts";
import { parseContainerfile } from "./language/index.ts";
import { planBuild } from "./solver/plan.ts";

/** How often others had their turn while something was done. */
async function turnsOf<T>(task: Promise<T>): Promise<{ readonly turns: number; readonly result: T }> {
  let turns = 0;
  let isOver = false;
  const tick = () => {
    turns++;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  try {
    return { result: await task, turns };
  } finally {
    isOver = true;
  }
}

test("a file of 50,000 instructions is read, planned and checked without keeping others waiting", async () => {
  const lines = Array.from({ length: 50_000 }, (_, index) => `ARG A${index}=v${index}`);
  const bytes = Buffer.from(`FROM busybox\n${lines.join("\n")}\n`);
  const { result: file, turns: read } = await turnsOf(parseContainerfile(bytes, { name: "Dockerfile" }));
  const planning = planBuild(
    file,
    undefined,
    () => "busybox",
    () => false,
  );
  const { turns: planned } = await turnsOf(planning);
  const checking = checkContainerfile(
    {
      ...{ file, target: undefined, args: {}, platform: hostPlatform(), allStages: false },
      ignore: () => Promise.resolve([]),
      isContext: () => false,
      baseOf: () => Promise.resolve(NOTHING),
    },
    new Findings(DEFAULT_CHECKS),
  );
  const { turns: checked } = await turnsOf(checking);
  assert.equal(file.stages[0]?.instructions.length, 50_000);
  for (const turns of [read, planned, checked]) assert.ok(turns >= 2, `${read} ${planned} ${checked}`);
});
