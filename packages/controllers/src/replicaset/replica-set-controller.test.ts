import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { PODS, REPLICA_SETS, REPLICATION_CONTROLLERS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { ReplicaSet } from "../types/workloads.ts";
import { replicaSetController, replicationController } from "./replica-set-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [replicaSetController, replicationController, fakeNodes()],
    untold: ["nodes"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const set = (name: string, spec: JsonObject = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
    ...spec,
  },
});

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

async function podsOf(name: string): Promise<readonly Pod[]> {
  return (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["app"] === name);
}

const get = (name: string): Promise<ReplicaSet> =>
  world.client.get<ReplicaSet>({ ...REPLICA_SETS, namespace: "default", name });

describe("a ReplicaSet", () => {
  test("adopts a pod that fits, replaces one that goes, releases one whose labels change", async () => {
    const stray: KubeObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "stray", namespace: "default", labels: { app: "adopt" } },
      spec: { containers: [{ name: "c", image: "web:1" }] },
    };
    await golden("adopt", [
      ["a pod of nobody", () => world.create(stray)],
      ["a set of 2 whose labels it has", () => world.create(set("adopt"))],
      [
        "its labels change",
        () =>
          world.client.patch({ ...PODS, namespace: "default", name: "stray" }, "merge", {
            metadata: { labels: { app: null } },
          }),
      ],
      [
        "scaled to 1",
        () =>
          world.client.patch({ ...REPLICA_SETS, namespace: "default", name: "adopt" }, "merge", {
            spec: { replicas: 1 },
          }),
      ],
      ["time goes by", () => world.advance(10)],
    ]);
    const pod = await world.client.get<Pod>({ ...PODS, namespace: "default", name: "stray" });
    assert.deepEqual(pod.metadata.ownerReferences ?? [], []);
  });

  test("counts pods as available after their time", async () => {
    await world.create(set("wait", { minReadySeconds: 60 }));
    await world.advance(30);
    assert.deepEqual(
      [(await get("wait")).status?.readyReplicas, (await get("wait")).status?.availableReplicas],
      [2, undefined],
    );
    await world.advance(40);
    assert.equal((await get("wait")).status?.availableReplicas, 2);
  });

  test("replaces failed pods, and deletes those first that cost least", async () => {
    await world.create(set("cost", { replicas: 3 }));
    await world.advance(5);
    const [first, second] = await podsOf("cost");
    const annotations = { "controller.kubernetes.io/pod-deletion-cost": "-5" };
    const ref = (pod: Pod | undefined) => ({ ...PODS, namespace: "default", name: pod?.metadata.name ?? "" });
    await world.client.patch(ref(second), "merge", { metadata: { annotations } });
    await world.client.patch(ref(first), "merge", { status: { phase: "Failed" } }, { subresource: "status" });
    await world.advance(5);
    assert.equal((await get("cost")).status?.replicas, 3);
    await world.client.patch({ ...REPLICA_SETS, namespace: "default", name: "cost" }, "merge", {
      spec: { replicas: 2 },
    });
    await world.advance(5);
    const left = (await podsOf("cost")).map(({ metadata }) => metadata.name);
    assert.ok(!left.includes(second?.metadata.name), "the cheap one has gone");
    assert.ok(left.includes(first?.metadata.name), "the failed one is nobody's business");
  });

  test("tells what a quota forbids, tries little in vain, and goes on when it may", async () => {
    const quota = { group: "", version: "v1", resource: "resourcequotas" };
    await world.client.create(
      { group: "", version: "v1", resource: "namespaces" },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "tight" } },
    );
    await world.create({
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q", namespace: "tight" },
      spec: { hard: { pods: "1" } },
    });
    const many = set("many", { replicas: 20 });
    many.metadata.namespace = "tight";
    await world.create(many);
    await world.settle();
    const ref = { ...REPLICA_SETS, namespace: "tight", name: "many" };
    const { status } = await world.client.get<ReplicaSet>(ref);
    assert.equal(status?.replicas, 1);
    const [condition] = status?.conditions ?? [];
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason],
      ["ReplicaFailure", "True", "FailedCreate"],
    );
    assert.match(condition?.message ?? "", /exceeded quota: q/);
    await world.client.patch({ ...quota, namespace: "tight", name: "q" }, "merge", { spec: { hard: { pods: "30" } } });
    await world.advance(60);
    const later = (await world.client.get<ReplicaSet>(ref)).status;
    assert.deepEqual([later?.replicas, later?.conditions ?? []], [20, []]);
  });

  test("does not fight another one over pods that both select", async () => {
    await world.create(
      set("fight-a", {
        selector: { matchLabels: { app: "both" } },
        template: { metadata: { labels: { app: "both" } }, spec: { containers: [{ name: "c", image: "x" }] } },
      }),
    );
    await world.create(
      set("fight-b", {
        selector: { matchLabels: { app: "both" } },
        template: { metadata: { labels: { app: "both" } }, spec: { containers: [{ name: "c", image: "x" }] } },
      }),
    );
    await world.advance(60);
    assert.equal((await podsOf("both")).length, 4);
  });
});

describe("a ReplicationController", () => {
  test("does the same by a map of labels", async () => {
    await world.create({
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "rc", namespace: "default" },
      spec: {
        replicas: 2,
        selector: { app: "rc" },
        template: { metadata: { labels: { app: "rc" } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
      },
    });
    await world.advance(5);
    const ref = { ...REPLICATION_CONTROLLERS, namespace: "default", name: "rc" };
    assert.deepEqual((await world.client.get<ReplicaSet>(ref)).status, {
      replicas: 2,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      observedGeneration: 1,
    });
    await world.client.patch(ref, "merge", { spec: { replicas: 0 } });
    await world.advance(5);
    assert.deepEqual(await podsOf("rc"), []);
  });
});
