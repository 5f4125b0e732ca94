import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type JsonObject, timestamp } from "@boxship/api";
import { conditionOf } from "../shared/pods.ts";
import { LEASES, NODES, PODS } from "../shared/resources.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { Node } from "../types/sets.ts";
import { nodeLifecycle } from "./node-lifecycle-controller.ts";
import { taintEvictionController } from "./taint-eviction-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({ definitions: [nodeLifecycle(), taintEvictionController] });
});
after(() => world?.[Symbol.asyncDispose]());

/** A node that has said that it is well. */
async function node(name: string): Promise<void> {
  await world.client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name } });
  await ready(name, "True");
}

function ready(name: string, status: string): Promise<unknown> {
  const time = timestamp(world.clock.now());
  const conditions = [
    { type: "Ready", status, lastHeartbeatTime: time, lastTransitionTime: time, reason: "", message: "" },
  ];
  return world.client.patch({ ...NODES, name }, "merge", { status: { conditions } }, { subresource: "status" });
}

/** The nodes say by their leases that they are there, for so many seconds. */
async function beat(names: readonly string[], seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 20) {
    for (const name of names) {
      const spec = { renewTime: new Date(world.clock.now()).toISOString().replace("Z", "000Z") };
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, namespace: "kube-node-lease" },
        spec,
      };
      await world.client.patch({ ...LEASES, namespace: "kube-node-lease", name }, "apply", lease, {
        fieldManager: "test",
        force: true,
      });
    }
    await world.advance(20);
  }
}

function pod(name: string, nodeName: string, spec: JsonObject = {}): Promise<unknown> {
  const containers = [{ name: "c", image: "x" }];
  return world.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { nodeName, containers, terminationGracePeriodSeconds: 1, ...spec },
  });
}

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const get = (name: string): Promise<Node> => world.client.get<Node>({ ...NODES, name });
const taintsOf = async (name: string): Promise<readonly string[]> =>
  ((await get(name)).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
const doomed = async (): Promise<readonly (string | undefined)[]> =>
  (await world.list<Pod>("v1", "pods"))
    .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    .map(({ metadata }) => metadata.name);

describe("a node", () => {
  test("loses the taint that it was made with when it is well", async () => {
    await node("one");
    await node("two");
    await world.settle();
    assert.deepEqual(await taintsOf("one"), []);
  });

  test("that is silent is not known to be there, and loses its pods after their time", async () => {
    await pod("plain", "two");
    await pod("brief", "two", {
      tolerations: [
        { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 },
      ],
    });
    await golden("silent", [
      ["both nodes are there for a minute, then only one", () => beat(["one", "two"], 60)],
      ["two minutes go by", () => beat(["one"], 120)],
      ["five more", () => beat(["one"], 300)],
    ]);
    assert.deepEqual(new Set(await doomed()), new Set(["plain", "brief"]));
    assert.equal(conditionOf((await get("two")).status, "Ready")?.status, "Unknown");
    await ready("two", "True");
    await beat(["one", "two"], 20);
    assert.deepEqual(await taintsOf("two"), []);
  });

  test("that says that it is not ready gets no pods, and keeps those that it has for their time", async () => {
    await pod("kept", "two");
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    const kept = { ...PODS, namespace: "default", name: "kept" };
    await world.client.patch(kept, "merge", { status }, { subresource: "status" });
    await ready("two", "False");
    await beat(["one", "two"], 20);
    assert.deepEqual(await taintsOf("two"), [
      "node.kubernetes.io/not-ready:NoSchedule",
      "node.kubernetes.io/not-ready:NoExecute",
    ]);
    assert.ok(!(await doomed()).includes("kept"));
    const said = conditionOf((await world.client.get<Pod>(kept)).status, "Ready")?.status;
    assert.equal(said, "True", "its node says how it is");
    await ready("two", "True");
    await beat(["one", "two"], 400);
    assert.ok(!(await doomed()).includes("kept"), "it is well again");
  });

  test("is not emptied when no other one is well either", async () => {
    await world.advance(600);
    assert.deepEqual(await taintsOf("one"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert.ok(!(await doomed()).includes("kept"));
  });

  test("is emptied no more when all others fall silent, too", async () => {
    await ready("one", "True");
    await beat(["one"], 40);
    assert.deepEqual(await taintsOf("two"), [
      "node.kubernetes.io/unreachable:NoSchedule",
      "node.kubernetes.io/unreachable:NoExecute",
    ]);
    await world.advance(60);
    assert.deepEqual(await taintsOf("two"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    await ready("one", "True");
    await ready("two", "True");
    await beat(["one", "two"], 40);
    assert.deepEqual(await taintsOf("two"), []);
  });

  test("that somebody taints by hand loses what does not put up with that, when its time is over", async () => {
    const tolerations = [{ key: "mine", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 }];
    await pod("patient", "one", { tolerations });
    await pod("ended", "one", { restartPolicy: "Never" });
    const ended = { ...PODS, namespace: "default", name: "ended" };
    await world.client.patch(ended, "merge", { status: { phase: "Succeeded" } }, { subresource: "status" });
    const taint = (key: string, more: JsonObject = {}) =>
      world.client.patch({ ...NODES, name: "one" }, "merge", {
        spec: { taints: [{ key, effect: "NoExecute", ...more }] },
      });
    await taint("mine");
    await beat(["one", "two"], 20);
    const names = async () => (await world.list("v1", "pods")).map(({ metadata: { name } }) => name);
    assert.deepEqual([(await names()).includes("ended"), (await doomed()).includes("patient")], [false, false]);
    await beat(["one", "two"], 20);
    assert.ok((await doomed()).includes("patient"));
    await pod("later", "one", { tolerations });
    await taint("mine", { timeAdded: "2999-01-01T00:00:00Z" });
    await beat(["one", "two"], 40);
    assert.ok((await doomed()).includes("later"), "no time that is still to come is believed");
    await world.client.patch({ ...NODES, name: "one" }, "merge", { spec: { taints: null } });
  });

  test("has the labels that old manifests select by", async () => {
    const labels = { "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "beta.kubernetes.io/arch": "amd64" };
    await world.client.patch({ ...NODES, name: "one" }, "merge", { metadata: { labels } });
    await world.settle();
    const { metadata } = await get("one");
    assert.deepEqual(
      ["os", "arch"].map((name) => metadata.labels?.[`beta.kubernetes.io/${name}`]),
      ["linux", "arm64"],
    );
  });

  test("is not lost because nobody listened: only who is silent after that is", async () => {
    await ready("two", "True");
    await beat(["one", "two"], 40);
    const said = async () => {
      const both = [await get("one"), await get("two")];
      return both.map(({ status }) => conditionOf(status, "Ready")?.status);
    };
    assert.deepEqual(await said(), ["True", "True"]);
    // The controllers' process stands still, and all others with it.
    await world.clock.advance(90_000);
    await world.settle();
    assert.deepEqual(await said(), ["True", "True"]);
    await world.advance(5);
    await world.clock.advance(90_000);
    await world.settle();
    assert.deepEqual(await said(), ["True", "True"]);
    await beat(["one"], 20);
    assert.deepEqual(await said(), ["True", "Unknown"]);
    await ready("two", "True");
    await beat(["one", "two"], 20);
  });

  test("that is cordoned says so by a taint", async () => {
    await node("three");
    await world.client.patch({ ...NODES, name: "three" }, "merge", { spec: { unschedulable: true } });
    await world.settle();
    assert.deepEqual(await taintsOf("three"), ["node.kubernetes.io/unschedulable:NoSchedule"]);
  });
});
