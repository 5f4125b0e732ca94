import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { DEFINITIONS } from "../index.ts";
import { PODS, REPLICA_SETS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { Deployment, ReplicaSet } from "../types/workloads.ts";

const NEVER = 2_147_483_647;

let world: World;
before(async () => {
  // Where there are no nodes, pods would not stay.
  const without = ["node-lifecycle-controller", "pod-garbage-collector-controller"];
  world = await startWorld({
    definitions: [...DEFINITIONS.filter(({ name }) => !without.includes(name)), fakeNodes()],
    untold: ["nodes", "clusterrole-aggregation-controller"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const template = (app: string): JsonObject => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: "c", image: "web:1" }] },
});

const make = (apiVersion: string, kind: string, name: string, rest: object): Promise<KubeObject> =>
  world.create({ apiVersion, kind, metadata: { name, namespace: "default" }, ...rest });

const workload = (kind: string, name: string, app: string, spec: object): Promise<KubeObject> =>
  make("apps/v1", kind, name, { spec: { selector: { matchLabels: { app } }, template: template(app), ...spec } });

const podsOf = async (app: string): Promise<readonly Pod[]> =>
  (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["app"] === app);

/** How often controllers wrote or failed in so many minutes, and what. */
async function writesIn(minutes: number): Promise<readonly string[]> {
  const known = world.history.lines.length;
  await world.advance(minutes * 60);
  return world.history.lines.slice(known).filter((line) => !line.includes(" event for "));
}

const owners = (pods: readonly Pod[]): Record<string, number> =>
  Object.fromEntries(
    Map.groupBy(pods, ({ metadata }) => metadata.ownerReferences?.[0]?.name ?? "nobody")
      .entries()
      .map(([name, { length }]): [string, number] => [name, length]),
  );

describe("objects that contradict each other do not set controllers in motion for ever", () => {
  test("workloads that select the same pods keep their own", async () => {
    await workload("ReplicaSet", "one", "same", { replicas: 2 });
    await workload("ReplicaSet", "two", "same", { replicas: 3 });
    await workload("StatefulSet", "three", "same", { replicas: 1, serviceName: "same" });
    await writesIn(2);
    assert.deepEqual(owners(await podsOf("same")), { one: 2, two: 3, three: 1 });
    assert.deepEqual(await writesIn(30), []);
  });

  test("a quota that allows less than there is lets be what is there, and what is refused is asked for less and less", async () => {
    await workload("ReplicaSet", "many", "many", { replicas: 3 });
    await writesIn(2);
    const { length } = await world.list("v1", "pods");
    await make("v1", "ResourceQuota", "small", { spec: { hard: { pods: "1" } } });
    await world.client.patch({ ...REPLICA_SETS, namespace: "default", name: "many" }, "merge", {
      spec: { replicas: 5 },
    });
    const writes = await writesIn(30);
    assert.ok(writes.length > 4 && writes.length < 60, `${writes.length} in half an hour`);
    const { status } = await world.client.get<ReplicaSet>({ ...REPLICA_SETS, namespace: "default", name: "many" });
    const [failure] = status?.conditions ?? [];
    assert.deepEqual([failure?.type, failure?.status, failure?.reason], ["ReplicaFailure", "True", "FailedCreate"]);
    assert.match(failure?.message ?? "", /exceeded quota: small, requested: pods=1, used: pods=\d+, limited: pods=1/);
    assert.equal((await world.list("v1", "pods")).length, length);
    await world.client.delete({
      group: "",
      version: "v1",
      resource: "resourcequotas",
      namespace: "default",
      name: "small",
    });
    await writesIn(20);
    assert.deepEqual(owners(await podsOf("many")), { many: 5 });
  });

  test("deadlines that are over and numbers without sense end, or wait, and nothing runs hot", async () => {
    const job = { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "hang:1" }] } } };
    await make("batch/v1", "Job", "late", { spec: { ...job, activeDeadlineSeconds: 1, ttlSecondsAfterFinished: 0 } });
    await make("batch/v1", "Job", "patient", {
      spec: { ...job, backoffLimit: NEVER, activeDeadlineSeconds: NEVER, parallelism: 1, completions: NEVER },
    });
    await make("batch/v1", "CronJob", "missed", {
      spec: { schedule: "* * * * *", startingDeadlineSeconds: 0, suspend: true, jobTemplate: { spec: job } },
    });
    await workload("Deployment", "absurd", "absurd", {
      replicas: 1,
      revisionHistoryLimit: NEVER,
      progressDeadlineSeconds: NEVER,
      minReadySeconds: NEVER - 1,
      strategy: { rollingUpdate: { maxSurge: "1000000%", maxUnavailable: NEVER } },
    });
    await make("policy/v1", "PodDisruptionBudget", "absurd", {
      spec: { minAvailable: NEVER, selector: { matchLabels: { app: "absurd" } } },
    });
    await writesIn(5);
    assert.deepEqual(
      (await world.list("batch/v1", "jobs")).map(({ metadata }) => metadata.name),
      ["patient"],
    );
    const [deployment] = await world.list<Deployment>("apps/v1", "deployments");
    assert.deepEqual([deployment?.status?.readyReplicas, deployment?.status?.availableReplicas], [1, undefined]);
    assert.deepEqual(await writesIn(60), []);
  });

  test("what is edited by hand is put right once, and labels that no longer fit are another's pod", async () => {
    await workload("Deployment", "edited", "edited", { replicas: 2 });
    await writesIn(2);
    const [set] = (await world.list<ReplicaSet>("apps/v1", "replicasets")).filter(
      ({ metadata }) => metadata.labels?.["app"] === "edited",
    );
    const ref = { ...REPLICA_SETS, namespace: "default", name: set?.metadata.name ?? "" };
    const [pod] = await podsOf("edited");
    const podRef = { ...PODS, namespace: "default", name: pod?.metadata.name ?? "" };
    for (let round = 0; round < 3; round++) {
      await world.client.patch(ref, "merge", { spec: { replicas: 7 } });
      await world.client.patch(ref, "merge", { status: { replicas: 99 } }, { subresource: "status" });
      const writes = await writesIn(5);
      assert.ok(writes.length < 40, writes.join("\n"));
      assert.equal((await world.client.get<ReplicaSet>(ref)).spec?.replicas, 2);
      assert.equal((await podsOf("edited")).length, 2);
    }
    await world.client.patch(podRef, "merge", { metadata: { labels: { app: "mine" } } });
    await writesIn(5);
    assert.deepEqual(owners(await podsOf("mine")), { nobody: 1 });
    assert.equal((await podsOf("edited")).length, 2);
    assert.deepEqual(await writesIn(30), []);
  });
});
