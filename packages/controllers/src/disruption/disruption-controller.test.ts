import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { BoxshipError } from "@boxship/base";
import { replicaSetController } from "../replicaset/replica-set-controller.ts";
import { DISRUPTION_BUDGETS, PODS, REPLICA_SETS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { DisruptionBudget } from "../types/disruption.ts";
import type { Pod } from "../types/pod.ts";
import { disruptionController } from "./disruption-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [replicaSetController, disruptionController, fakeNodes()],
    untold: ["nodes", "replicaset-controller"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const set = (name: string, replicas: number, image = "web:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name, namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image }] } },
  },
});

const budget = (name: string, spec: JsonObject): Promise<KubeObject> =>
  world.create({
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name, namespace: "default" },
    spec: { selector: { matchLabels: { app: name } }, ...spec },
  });

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

async function numbers(name: string) {
  const { status } = await world.client.get<DisruptionBudget>({ ...DISRUPTION_BUDGETS, namespace: "default", name });
  return [status?.expectedPods, status?.desiredHealthy, status?.currentHealthy, status?.disruptionsAllowed];
}

async function podsOf(name: string): Promise<readonly string[]> {
  const pods = await world.list<Pod>("v1", "pods");
  return pods.flatMap(({ metadata }) => (metadata.labels?.["app"] === name ? (metadata.name ?? "") : []));
}

/** @returns what the server said; empty where it let the pod go */
async function evict(name: string): Promise<string> {
  const metadata = { name, namespace: "default" };
  try {
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata };
    await world.client.create({ ...PODS, namespace: "default" }, eviction, { subresource: "eviction" });
    return "";
  } catch (error) {
    return error instanceof BoxshipError ? error.message : String(error);
  }
}

describe("a PodDisruptionBudget", () => {
  test("counts pods, and what may go", async () => {
    await golden("counts", [
      ["a set of 3", () => world.create(set("web", 3))],
      ["at least 2 of them", () => budget("web", { minAvailable: 2 })],
      ["its pods get ready", () => world.advance(5)],
      [
        "scaled to 2",
        () =>
          world.client.patch({ ...REPLICA_SETS, namespace: "default", name: "web" }, "merge", {
            spec: { replicas: 2 },
          }),
      ],
      ["time goes by", () => world.advance(5)],
    ]);
    assert.deepEqual(await numbers("web"), [2, 2, 2, 0]);
  });

  test("in percent and by what may be missing: of what the set asks for", async () => {
    await world.create(set("part", 4));
    await world.advance(5);
    await budget("part", { maxUnavailable: "50%" });
    await world.settle();
    assert.deepEqual(await numbers("part"), [4, 2, 4, 2]);
    const ref = { ...DISRUPTION_BUDGETS, namespace: "default", name: "part" };
    await world.client.patch(ref, "merge", { spec: { maxUnavailable: null, minAvailable: "100%" } });
    await world.settle();
    assert.deepEqual(await numbers("part"), [4, 4, 4, 0]);
  });

  test("lets one pod go of two who ask at once, and the next when there is another", async () => {
    await world.create(set("one", 2));
    await budget("one", { maxUnavailable: 1 });
    await world.advance(5);
    const pods = await podsOf("one");
    const answers = await Promise.all(pods.map(evict));
    assert.deepEqual(answers.filter((answer) => answer === "").length, 1);
    const gone = (await world.list<Pod>("v1", "pods")).filter(
      ({ metadata }) => metadata.name === pods[answers.indexOf("")],
    );
    const said = gone.flatMap(({ status }) => status?.conditions ?? []).find(({ type }) => type === "DisruptionTarget");
    assert.deepEqual([said?.status, said?.reason], ["True", "EvictionByEvictionAPI"]);
    const ref = { ...DISRUPTION_BUDGETS, namespace: "default", name: "one" };
    const { status } = await world.client.get<DisruptionBudget>(ref);
    assert.deepEqual(
      status?.conditions?.map(({ type, status: is, reason }) => [type, is, reason]),
      [["DisruptionAllowed", "False", "InsufficientPods"]],
    );
    assert.ok(answers.includes("Cannot evict pod as it would violate the pod's disruption budget."));
    await world.settle();
    assert.deepEqual(await numbers("one"), [2, 1, 1, 0]);
    await world.advance(5);
    const [next = ""] = await podsOf("one");
    assert.equal(await evict(next), "");
    await world.advance(5);
  });

  test("of pods that do not work only those that are too many, unless it does not mind", async () => {
    await world.create(set("ill", 2, "never-ready"));
    await budget("ill", { minAvailable: 1 });
    await world.advance(5);
    const [pod = ""] = await podsOf("ill");
    assert.match(await evict(pod), /^Cannot evict pod/);
    const ref = { ...DISRUPTION_BUDGETS, namespace: "default", name: "ill" };
    await world.client.patch(ref, "merge", { spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } });
    assert.equal(await evict(pod), "");
    await world.advance(5);
  });

  test("takes back what was said of a pod that was to go and stays", async () => {
    const spec = { containers: [{ name: "c", image: "web:1" }] };
    for (const name of ["stays", "stays-too"]) {
      const metadata = { name, namespace: "default", labels: { app: "stays" } };
      await world.create({ apiVersion: "v1", kind: "Pod", metadata, spec });
    }
    await budget("stays", { minAvailable: 1 });
    await world.advance(5);
    const pod = { ...PODS, namespace: "default", name: "stays" };
    const lastTransitionTime = new Date(world.clock.now()).toISOString().replace(".000", "");
    const condition = { type: "DisruptionTarget", status: "True", reason: "Whim", lastTransitionTime };
    await world.client.patch(pod, "strategic", { status: { conditions: [condition] } }, { subresource: "status" });
    const budgets = { ...DISRUPTION_BUDGETS, namespace: "default", name: "stays" };
    const status = { disruptedPods: { stays: lastTransitionTime } };
    await world.client.patch(budgets, "merge", { status }, { subresource: "status" });
    const said = async () => {
      const conditions = (await world.client.get<Pod>(pod)).status?.conditions ?? [];
      return conditions.flatMap(({ type, ...one }) => (type === "DisruptionTarget" ? [[one.status, one.reason]] : []));
    };
    await world.advance(119);
    assert.deepEqual([await said(), await numbers("stays")], [[["True", "Whim"]], [2, 1, 1, 0]]);
    world.history.begin();
    await world.advance(2);
    assert.deepEqual([await said(), await numbers("stays")], [[["False", undefined]], [2, 1, 2, 1]]);
    const told = world.history.lines.filter((line) => line.includes(" event for "));
    assert.deepEqual(told, [
      "+1s disruption-controller: event for Pod stays: Warning NotDeleted: Pod was expected by PDB default/stays to be deleted but it wasn't",
    ]);
    const { length } = world.history.lines;
    await world.advance(600);
    assert.equal(world.history.lines.length, length);
  });

  test("in percent of what a custom object asks for by its scale", async () => {
    const subresources = { scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } };
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await world.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "herds.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "herds", kind: "Herd" },
        versions: [{ name: "v1", served: true, storage: true, schema, subresources }],
      },
    });
    await world.settle();
    const herds = { group: "example.com", version: "v1", resource: "herds", namespace: "default" };
    let owner: KubeObject | undefined;
    while (owner === undefined) {
      const herd = { apiVersion: "example.com/v1", kind: "Herd", metadata: { name: "sheep" }, spec: { replicas: 8 } };
      owner = await world.client.create(herds, herd).catch(() => undefined);
    }
    const { uid = "" } = owner.metadata;
    const ownerReferences = [{ apiVersion: "example.com/v1", kind: "Herd", name: "sheep", uid, controller: true }];
    await world.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "sheep", namespace: "default", labels: { app: "sheep" }, ownerReferences },
      spec: { containers: [{ name: "c", image: "x" }] },
    });
    await budget("sheep", { minAvailable: "50%" });
    await world.advance(5);
    assert.deepEqual(await numbers("sheep"), [8, 4, 1, 0]);
  });

  test("counts pods that have ended and are still there", async () => {
    const spec = { restartPolicy: "Never" };
    for (const [name, image] of [
      ["done-1", "exit-0"],
      ["done-2", "web:1"],
    ] as const) {
      const metadata = { name, namespace: "default", labels: { app: "done" } };
      const containers = [{ name: "c", image }];
      await world.create({ apiVersion: "v1", kind: "Pod", metadata, spec: { ...spec, containers } });
    }
    await budget("done", { minAvailable: 1 });
    await world.advance(10);
    assert.deepEqual(await numbers("done"), [2, 1, 1, 0]);
  });

  test("says of a pod with two budgets that it cannot go", async () => {
    const metadata = { name: "twice", namespace: "default", labels: { app: "twice", also: "twice" } };
    await world.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: { containers: [{ name: "c", image: "web:1" }] },
    });
    await world.advance(5);
    await budget("twice", { minAvailable: 0 });
    await golden("twice", [
      ["a second budget", () => budget("twice-too", { minAvailable: 0, selector: { matchLabels: { also: "twice" } } })],
      [
        "the pod says something",
        () =>
          world.client.patch({ ...PODS, namespace: "default", name: "twice" }, "merge", {
            metadata: { annotations: { a: "b" } },
          }),
      ],
    ]);
    const words = /This pod has more than one PodDisruptionBudget, which the eviction subresource does not support/;
    assert.match(await evict("twice"), words);
    await world.client.delete({ ...DISRUPTION_BUDGETS, namespace: "default", name: "twice-too" });
    await world.settle();
    assert.equal(await evict("twice"), "");
    await world.advance(5);
  });

  test("says when it cannot know how many there should be", async () => {
    const owner = { apiVersion: "example.com/v1", kind: "Odd", name: "x", uid: "1", controller: true };
    await world.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "odd", namespace: "default", labels: { app: "odd" }, ownerReferences: [owner] },
      spec: { containers: [{ name: "c", image: "x" }] },
    });
    const ref = { ...DISRUPTION_BUDGETS, namespace: "default", name: "odd" };
    await golden("unknown", [
      ["one of pods that something unknown controls", () => budget("odd", { minAvailable: 0 })],
      ["its node starts it", () => world.advance(5)],
      ["half of them", () => world.client.patch(ref, "merge", { spec: { minAvailable: "50%" } })],
      ["it is tried less and less often", () => world.advance(3)],
      ["the number again", () => world.client.patch(ref, "merge", { spec: { minAvailable: 0 } })],
    ]);
    assert.deepEqual(await numbers("odd"), [1, 0, 1, 1]);
    const job = { apiVersion: "batch/v1", kind: "Job", name: "x", uid: "1", controller: true };
    const pod = { ...PODS, namespace: "default", name: "odd" };
    await world.client.patch(pod, "merge", { metadata: { ownerReferences: [job] } });
    await world.client.patch(ref, "merge", { spec: { minAvailable: "50%" } });
    await world.settle();
    const { status } = await world.client.get<DisruptionBudget>(ref);
    const [{ reason, message, observedGeneration } = { reason: "" }] = status?.conditions ?? [];
    assert.deepEqual(
      [reason, message, observedGeneration, status?.observedGeneration],
      ["SyncFailed", "jobs.batch does not implement the scale subresource", 3, 3],
    );
    await world.client.patch(pod, "merge", { metadata: { ownerReferences: null } });
    world.history.begin();
    await world.advance(1);
    const said = world.history.lines.find((line) => line.includes("UnmanagedPods")) ?? "";
    assert.match(said, /\(selector: &LabelSelector{MatchLabels:map\[string\]string{app: odd,},MatchExpressions:/);
  });
});
