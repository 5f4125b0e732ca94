import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import type { InformerHandler } from "@boxship/client";
import type { ControllerContext } from "@boxship/controllers";
import { brokenBudgets, StepChecks } from "./check-step.ts";
import { Observer } from "./observer.ts";

/** An observer that is shown objects, by their plural. */
function observe(objects: Readonly<Record<string, readonly KubeObject[]>>): Observer {
  return observeMore(objects).observer;
}

/** @returns also the way to add a pod */
function observeMore(objects: Readonly<Record<string, readonly KubeObject[]>>) {
  const observer = new Observer();
  const adders: ((object: KubeObject) => void)[] = [];
  const informers = {
    of: ({ resource }: { resource: string }) => ({
      handle: (handler: InformerHandler<KubeObject>) => {
        objects[resource]?.forEach((one) => handler.added?.(one));
        if (resource === "pods") adders.push((one) => handler.added?.(one));
      },
    }),
    find: ({ resource }: { resource: string }) => ({ all: () => objects[resource] ?? [] }),
  };
  // Nodes first: pods are counted on them.
  observer.definition.open({ informers } as unknown as ControllerContext);
  return { observer, add: (one: KubeObject) => adders.forEach((adder) => adder(one)) };
}

const make = (kind: string, name: string, metadata: object, rest: object): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "default", uid: name, ...metadata },
  ...rest,
});
const READY = { conditions: [{ type: "Ready", status: "True" }] };
const node = (name: string, status: JsonObject = READY): KubeObject =>
  make(
    "Node",
    name,
    { namespace: undefined },
    { status: { allocatable: { cpu: "2", memory: "1Gi", pods: "9" }, ...status } },
  );

function pod(name: string, { owner = "", on = "one", phase = "Running", going = false, cpu = "0" } = {}): KubeObject {
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }];
  const metadata = {
    labels: { app: "a" },
    ...(owner === "" ? {} : { ownerReferences }),
    ...(going ? { deletionTimestamp: "2024-01-01T00:00:00Z" } : {}),
  };
  const spec = { ...(on === "" ? {} : { nodeName: on }), containers: [{ resources: { requests: { cpu } } }] };
  return make("Pod", name, metadata, { spec, status: { phase, ...(phase === "Running" ? READY : {}) } });
}

const set = (name: string, wanted: number, told: number, status: JsonObject = {}): KubeObject =>
  make("ReplicaSet", name, {}, { spec: { replicas: wanted }, status: { replicas: told, ...status } });

/** What is found when it is looked at now, and again after so many minutes in which nothing has changed. */
function found(
  objects: Readonly<Record<string, readonly KubeObject[]>>,
  minutes: number,
  lost: readonly string[] = [],
) {
  const checks = new StepChecks();
  const observer = observe(objects);
  for (const now of [0, minutes * 60_000]) checks.look({ observer, now, isThere: (one) => !lost.includes(one) });
  return checks.violations;
}

const wrong: readonly (readonly [string, Readonly<Record<string, readonly KubeObject[]>>, number, RegExp])[] = [
  ["a replica that is lost", { replicasets: [set("web", 1, 0)] }, 5, /^ReplicaSet default\/web has not as many pods/],
  ["a status that is not true", { replicasets: [set("web", 0, 1)] }, 5, /web tells another number of pods, since 0s$/],
  [
    "a pod without its owner",
    { pods: [pod("a", { owner: "web" })] },
    5,
    /^pod default\/a is left over of ReplicaSet web/,
  ],
  [
    "a pod that waits",
    { nodes: [node("one")], pods: [pod("a", { on: "", phase: "Pending" })] },
    9,
    /and there is room/,
  ],
  ["a pod that does not start", { pods: [pod("a", { phase: "Pending" })] }, 2, /has a node and does not start/],
  ["a pod that does not end", { pods: [pod("a", { going: true })] }, 2, /^pod default\/a does not end/],
  ["a node that is not said to be well", { nodes: [node("one", {})] }, 5, /^node one is well and is not said to be/],
];

describe("what is wrong for too long is found, and not before", () => {
  for (const [what, objects, minutes, words] of wrong) {
    test(what, () => {
      assert.deepEqual(found(objects, minutes / 3), []);
      const violations = found(objects, minutes);
      assert.equal(violations.length, 1, violations.join("\n"));
      assert.match(violations[0] ?? "", words);
    });
  }

  test("a quota that is exceeded, at once, but not by what was there before it", () => {
    const hard = { pods: "1", "requests.cpu": "150m" };
    const quota = make("ResourceQuota", "q", {}, { spec: { hard } });
    const quotas: KubeObject[] = [];
    const pods = [pod("ended", { phase: "Succeeded", cpu: "4" }), pod("a", { cpu: "100m" })];
    const { observer, add } = observeMore({ resourcequotas: quotas, pods });
    const checks = new StepChecks();
    const look = () => {
      checks.look({ observer, now: 0, isThere: () => true });
      return checks.violations.splice(0);
    };
    quotas.push(quota);
    assert.deepEqual(look(), []);
    add(pod("b", { cpu: "100m" }));
    assert.deepEqual(look(), [
      "quota default/q is exceeded: pods 2 of 1",
      "quota default/q is exceeded: requests.cpu 0.2 of 150m",
    ]);
    quotas[0] = { ...quota, spec: { hard: { pods: "0" } } };
    assert.deepEqual(look(), []);
    add(pod("c", { cpu: "100m" }));
    assert.deepEqual(look(), ["quota default/q is exceeded: pods 3 of 0"]);
    quotas[0] = { ...quota, spec: { hard: { pods: "1" }, scopes: ["BestEffort"] } };
    assert.deepEqual(look(), []);
  });

  test("nothing of nodes that are lost and of what a quota keeps away", () => {
    const kept = { conditions: [{ type: "ReplicaFailure", status: "True" }] };
    const nodes = [node("one", { conditions: [{ type: "Ready", status: "Unknown" }] })];
    const pods = [pod("a", { going: true }), pod("b", { owner: "gone" })];
    assert.deepEqual(found({ nodes, pods, replicasets: [set("web", 1, 0, kept)] }, 60, ["one"]), []);
  });
});

test("a budget is broken by what leaves fewer healthy pods than it wants", () => {
  const selector = { matchLabels: { app: "a" } };
  const budget = make("PodDisruptionBudget", "b", {}, { spec: { minAvailable: 2, selector } });
  const three = [pod("a"), pod("b"), pod("c")];
  const of = (pods: readonly KubeObject[]) => observe({ poddisruptionbudgets: [budget], pods });
  assert.deepEqual(brokenBudgets(of(three), pod("a")), []);
  const two = [pod("a"), pod("b"), pod("c", { going: true })];
  assert.deepEqual(brokenBudgets(of(two), pod("a")), ["budget default/b is broken: 1 healthy pods of 2"]);
  assert.deepEqual(brokenBudgets(of(two), pod("d", { phase: "Pending" })), []);
});
