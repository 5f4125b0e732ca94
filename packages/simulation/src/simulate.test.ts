import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeFault, type Fault, planFaults } from "./faults.ts";
import { drawReport, printReport } from "./report.ts";
import { readScenario, sampleLoad } from "./scenario.ts";
import { shrinkFaults } from "./shrink.ts";
import { simulate } from "./simulate.ts";

const MINUTES = 30;
/** Seeds that are tried with every fault; soaks try thousands. */
const SEEDS = Number(process.env["BOXSHIP_SIMULATION_SEEDS"] ?? 1);
const FIRST = 3;

describe("a simulated cluster", () => {
  test("does the same for the same seed, whatever goes wrong, and nothing is lost or left over", async () => {
    const options = { seed: FIRST, loads: sampleLoad(3, 20), minutes: MINUTES, faults: planFaults(FIRST, MINUTES, 3) };
    const kinds = new Set(options.faults.map(({ kind }) => kind));
    assert.deepEqual([...kinds].sort(), ["clock-skew", "node-lost", "restart", "write-failures"]);
    const [first, again] = [await simulate(options), await simulate(options)];
    assert.deepEqual(again.history, first.history);
    assert.deepEqual(first.violations, []);
    const said = (words: RegExp): boolean => first.history.some((line) => words.test(line));
    for (const words of [/start anew/, / fails$/, /nobody hears of it/, /lost for/, /is Succeeded/])
      assert.ok(said(words), String(words));
    const last = first.samples.at(-1);
    assert.deepEqual([last?.nodesReady, last?.pending, last?.running], [3, 0, 18]);
    assert.match(printReport(first), /\n {4}0:30 {7}3 {7}0 {6}18 {7}2\n/);
    assert.match(drawReport(first), /^<svg .*<polyline .*<\/svg>\n$/);
  });

  for (let seed = FIRST + 1; seed < FIRST + SEEDS; seed++) {
    test(`loses nothing with seed ${seed}`, async () => {
      const loads = sampleLoad(3, 20);
      const run = async (faults: readonly Fault[]) =>
        (await simulate({ seed, loads, minutes: MINUTES, faults })).violations;
      const faults = planFaults(seed, MINUTES, 3);
      const violations = await run(faults);
      if (violations.length === 0) return;
      const needed = await shrinkFaults(faults, async (some) => (await run(some)).length > 0);
      assert.fail([...violations, "for which these are enough:", ...needed.map(describeFault)].join("\n"));
    });
  }

  test("is wound through weeks in which nothing happens", async () => {
    const { samples, violations } = await simulate({ seed: 2, loads: sampleLoad(3, 3), minutes: 60 * 24 * 40 });
    assert.deepEqual([samples.at(-1)?.at, samples.at(-1)?.running], [40 * 24 * 3_600_000, 3]);
    assert.deepEqual(violations, []);
  });

  test("plays a scenario: what is there how often, from when, until when, and what has no room waits", async () => {
    const loads = readScenario(`
apiVersion: v1
kind: Node
metadata: { name: node, annotations: { simulate.boxship/count: "2" } }
status: { allocatable: { cpu: "2", memory: 4Gi, pods: "10" } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, annotations: { simulate.boxship/at: 5m, simulate.boxship/until: 20m } }
spec:
  replicas: 5
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web, resources: { requests: { cpu: "1" } } }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: fails }
spec:
  backoffLimit: 0
  template:
    metadata: { annotations: { simulate.boxship/runs-for: 10s, simulate.boxship/exit-code: "1" } }
    spec: { restartPolicy: Never, containers: [{ name: x, image: x }] }
`);
    const { samples, history, violations } = await simulate({ seed: 3, loads, minutes: MINUTES });
    assert.deepEqual(violations, []);
    const at = (minute: number) => samples.find((one) => one.at === minute * 60_000);
    assert.deepEqual([at(4)?.running, at(10)?.running, at(10)?.pending, at(25)?.running], [0, 4, 1, 0]);
    assert.ok(history.some((line) => / pod default\/fails-\w+ is Failed$/.test(line)));
  });
});
