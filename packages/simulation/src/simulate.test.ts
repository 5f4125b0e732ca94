import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { planFaults } from "./faults.ts";
import { drawReport, printReport } from "./report.ts";
import { nodesOf, readScenario, sampleLoad } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { variedLoad } from "./varied-load.ts";

const MINUTES = 30;
/** One whose faults are of all kinds, and whose watches go on in all ways. */
const SEED = 229;
const ALL_KINDS = [
  "clock-skew",
  "drain",
  "node-lost",
  "restart",
  "restart-one",
  "slow-store",
  "watch-held",
  "write-failures",
];
/** What a history with all of that has. */
const SAID = [
  /the controllers and the scheduler start anew/,
  /the [a-z-]+ starts anew/,
  / fails$/,
  /nobody hears of it/,
  /lost for/,
  /tell nothing for \d+s, then from a list/,
  /are told again/,
  /user: evict web-\w+-\w+$/,
  /is Succeeded/,
  /horizontal-pod-autoscaler: scale deployments scaled/,
];

describe("a simulated cluster", () => {
  test("does the same for the same seed, whatever goes wrong, and nothing is lost or left over", async () => {
    const loads = variedLoad(SEED, 3);
    const faults = planFaults(SEED, MINUTES, nodesOf(loads));
    assert.deepEqual([...new Set(faults.map(({ kind }) => kind))].sort(), ALL_KINDS);
    const options = { seed: SEED, loads, minutes: MINUTES, faults };
    const [first, again] = [await simulate(options), await simulate(options)];
    assert.deepEqual(again.history, first.history);
    assert.deepEqual(first.violations, []);
    const said = (words: RegExp): boolean => first.history.some((line) => words.test(line));
    for (const words of SAID) assert.ok(said(words), String(words));
    const last = first.samples.at(-1);
    assert.deepEqual([last?.nodesReady, last?.pending], [3, 0]);
    assert.match(printReport(first), /\n {4}0:30 {7}3 {7}0 +\d+ +\d+\n/);
    assert.match(drawReport(first), /^<svg .*<polyline .*<\/svg>\n$/);
  });

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
apiVersion: v1
kind: Pod
metadata: { name: slow, annotations: { simulate.boxship/starts-after: 24h } }
spec: { containers: [{ name: x, image: x }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: fails, annotations: { simulate.boxship/until: 20m } }
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 60
  template:
    metadata: { annotations: { simulate.boxship/runs-for: 10s, simulate.boxship/exit-code: "1" } }
    spec: { restartPolicy: Never, containers: [{ name: x, image: x }] }
`);
    const { samples, history, violations } = await simulate({ seed: 3, loads, minutes: MINUTES });
    assert.deepEqual(violations, []);
    const at = (minute: number) => samples.find((one) => one.at === minute * 60_000);
    assert.deepEqual([at(4)?.running, at(10)?.running, at(10)?.pending, at(25)?.running], [0, 4, 2, 0]);
    assert.ok(history.some((line) => /user: delete Job fails: jobs.batch "fails" not found$/.test(line)));
    assert.ok(history.some((line) => / pod default\/fails-\w+ is Failed$/.test(line)));
  });
});
