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

test("faults are the same for a seed, and end before the last third", () => {
  for (let seed = 0; seed < 200; seed++) {
    const faults = planFaults(seed, 30, 5);
    assert.deepEqual(planFaults(seed, 30, 5), faults);
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

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["nothing", "", /the scenario is empty/],
  ["no YAML", "a: [", /the scenario is no YAML/],
  ["no object", "- 1", /document 1 of the scenario is no object of Kubernetes/],
  ["no name", "{apiVersion: v1, kind: Pod, metadata: {}}", /has no name/],
  [
    "a count of none",
    `{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {simulate.boxship/count: "0"}}}`,
    /is no number from 1 to/,
  ],
  [
    "no time",
    "{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {simulate.boxship/at: soon}}}",
    /"soon" is no time/,
  ],
  [
    "an end before the beginning",
    "{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {simulate.boxship/at: 2m, simulate.boxship/until: 1m}}}",
    /ends before it begins/,
  ],
];
for (const [what, text, words] of bad) {
  test(`a scenario with ${what} is refused`, () => {
    assert.throws(() => readScenario(text), words);
  });
}
