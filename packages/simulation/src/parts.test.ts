import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KubeObject } from "@boxship/api";
import type { InformerHandler } from "@boxship/client";
import type { ControllerContext } from "@boxship/controllers";
import { type Fault, planFaults } from "./faults.ts";
import { Observer } from "./observer.ts";
import { SeededNaming } from "./random.ts";
import { readScenario } from "./scenario.ts";
import { shrinkFaults } from "./shrink.ts";

const restart = (at: number): Fault => ({ at, kind: "restart" });

test("faults shrink to the fewest that still fail", async () => {
  const faults = Array.from({ length: 20 }, (_, index) => restart(index));
  let runs = 0;
  const needed = await shrinkFaults(faults, (some) => {
    runs++;
    return Promise.resolve([3, 17].every((at) => some.some((one) => one.at === at)));
  });
  assert.deepEqual(needed, [restart(3), restart(17)]);
  assert.ok(runs < 60, `${runs} runs`);
});

test("of the faults that are left none can be left out, also where one makes up for another", async () => {
  const [a, d, b, c] = [0, 1, 2, 3].map(restart) as [Fault, Fault, Fault, Fault];
  const fails = (some: readonly Fault[]) =>
    Promise.resolve(some.includes(c) && some.includes(d) && (some.includes(a) || !some.includes(b)));
  assert.deepEqual(await shrinkFaults([a, d, b, c], fails), [d, c]);
  assert.deepEqual(await shrinkFaults([a, b], () => Promise.resolve(true)), []);
});

test("faults are the same for a seed, and end before the last third", () => {
  for (let seed = 0; seed < 200; seed++) {
    const faults = planFaults(seed, 30, ["one", "two"]);
    assert.deepEqual(planFaults(seed, 30, ["one", "two"]), faults);
    assert.ok(faults.every((one) => !("node" in one) || ["one", "two"].includes(one.node)));
    assert.ok(planFaults(seed, 30, []).every((one) => !("node" in one)));
    const last = Math.max(...faults.map((one) => one.at + (one.kind === "node-lost" ? one.ms : 0)));
    assert.ok(last <= 20 * 60_000, `seed ${seed}: ${last}`);
  }
});

test("names and uids are those of the seed, and never twice the same", () => {
  const [one, same, other] = [new SeededNaming(1), new SeededNaming(1), new SeededNaming(2)];
  const uids = new Set(Array.from({ length: 100 }, () => one.uid("pods", "default", "a")));
  assert.equal(uids.size, 100);
  assert.ok([...uids].every((uid) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/.test(uid)));
  assert.equal(same.uid("pods", "default", "a"), [...uids][0]);
  assert.equal(one.suffix("pods", "web-"), same.suffix("pods", "web-"));
  assert.notEqual(other.suffix("pods", "web-"), same.suffix("pods", "db-"));
});

/** An observer, and what its informers tell it. */
function observe() {
  const observer = new Observer();
  const handlers = new Map<string, InformerHandler<KubeObject>>();
  const informers = {
    of: ({ resource }: { resource: string }) => ({
      handle: (handler: InformerHandler<KubeObject>) => void handlers.set(resource, handler),
    }),
  };
  observer.definition.open({ informers } as unknown as ControllerContext);
  const tell = (kind: string): InformerHandler<KubeObject> => handlers.get(kind) ?? {};
  return { observer, pods: tell("pods"), nodes: tell("nodes") };
}

const node = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  status: { allocatable: { cpu: "1", memory: "1Gi", pods: "10" } },
});

const pod = (name: string, nodeName: string, cpu = "600m"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
  spec: { nodeName, containers: [{ name: "c", resources: { requests: { cpu } } }] },
});

describe("what must not be is found", () => {
  test("a pod that moves", () => {
    const { observer, pods } = observe();
    pods.added?.(pod("a", "one"));
    pods.updated?.(pod("a", "two"), pod("a", "one"));
    assert.deepEqual(observer.violations, ["pod default/a was on one and is on two"]);
  });

  test("a node that is too full, and not one that a pod has left before", () => {
    const { observer, pods, nodes } = observe();
    nodes.added?.(node("one"));
    pods.added?.(pod("a", "one"));
    pods.deleted?.(pod("a", "one"));
    pods.added?.(pod("b", "one"));
    assert.deepEqual(observer.violations, []);
    pods.added?.(pod("c", "one"));
    assert.match(observer.violations[0] ?? "", /^node one is too full: 1.2, 0, 2 of 1, /);
  });
});

const pods = (metadata: string): string => `{apiVersion: v1, kind: Pod, metadata: ${metadata}}`;
const annotated = (name: string, value: string): string =>
  pods(`{name: a, annotations: {simulate.boxship/${name}: "${value}"}}`);

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["nothing", "", /the scenario is empty/],
  ["no YAML", "a: [", /the scenario is no YAML/],
  ["no object", "- 1", /document 1 of the scenario is no object of Kubernetes/],
  ["no name", "{apiVersion: v1, kind: Pod, metadata: {}}", /document 1 of the scenario has no name/],
  ["a number for a name", "{apiVersion: v1, kind: Pod, metadata: {name: 5}}", /has no name/],
  ["annotations in a list", pods("{name: a, annotations: [a]}"), /has annotations that are no map/],
  ["a count of none", annotated("count", "0"), /simulate.boxship\/count "0" is no number from 1 to 100000/],
  ["a count of too many", annotated("count", "100001"), /is no number from 1 to/],
  ["too many altogether", Array(3).fill(annotated("count", "100000")).join("\n---\n"), /more than 200000 objects/],
  ["no time", annotated("at", "soon"), /simulate.boxship\/at "soon" is no time/],
  ["a time before the beginning", annotated("at", "-5s"), /simulate.boxship\/at "-5s" is no time/],
  [
    "an end before the beginning",
    pods("{name: a, annotations: {simulate.boxship/at: 2m, simulate.boxship/until: 1m}}"),
    /ends before it begins/,
  ],
  [
    "an annotation that there is not",
    annotated("cuont", "5"),
    /document 1 of the scenario: there is no simulate.boxship\/cuont/,
  ],
  ["pods that start some time", annotated("starts-after", "soon"), /simulate.boxship\/starts-after "soon" is no time/],
  ["pods that run for less than nothing", annotated("runs-for", "-1s"), /is no time/],
  [
    "an exit code in words",
    annotated("exit-code", "one"),
    /simulate.boxship\/exit-code "one" is no number from 0 to 255/,
  ],
  ["a demand in words", annotated("demand", "0.5,lots"), /"0.5,lots" is no cores/],
  ["what is for pods at a job", annotated("runs-for", "5s").replace("Pod", "Job"), /is for pods and their templates/],
  [
    "what is for objects in a template",
    `{apiVersion: v1, kind: Job, metadata: {name: a}, spec: {template: ${annotated("count", "5")}}}`,
    /is for objects themselves/,
  ],
];
for (const [what, text, words] of bad) {
  test(`a scenario with ${what} is refused`, () => {
    assert.throws(() => readScenario(text), words);
  });
}
