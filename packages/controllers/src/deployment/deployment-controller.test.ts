import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { etcdProgram } from "@boxship/testkit";
import { replicaSetController } from "../replicaset/replica-set-controller.ts";
import { DEPLOYMENTS, REPLICA_SETS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World, type WorldOptions } from "../testing/world.ts";
import type { Deployment, ReplicaSet } from "../types/workloads.ts";
import { revisionOf } from "./annotations.ts";
import { deploymentController } from "./deployment-controller.ts";

const OPTIONS: WorldOptions = {
  definitions: [deploymentController, replicaSetController, fakeNodes()],
  untold: ["nodes"],
};
let world: World;
before(async () => {
  world = await startWorld(OPTIONS);
});
after(() => world?.[Symbol.asyncDispose]());

const deployment = (name: string, spec: JsonObject = {}, image = "web:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image }] } },
    ...spec,
  },
});

const patch = (name: string, spec: JsonObject): Promise<unknown> =>
  world.client.patch({ ...DEPLOYMENTS, namespace: "default", name }, "strategic", { spec });

const image = (to: string): JsonObject => ({ template: { spec: { containers: [{ name: "c", image: to }] } } });

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);

async function setsOf(name: string): Promise<readonly ReplicaSet[]> {
  const sets = await world.list<ReplicaSet>("apps/v1", "replicasets");
  return sets.filter(({ metadata }) => metadata.labels?.["app"] === name);
}

const get = (name: string): Promise<Deployment> =>
  world.client.get<Deployment>({ ...DEPLOYMENTS, namespace: "default", name });

describe("a Deployment", () => {
  const rolls = async (): Promise<void> => {
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    await golden("rolling", [
      ["a deployment of 2, one more and none less", () => world.create(deployment("web", { replicas: 2, strategy }))],
      ["its pods are ready", () => world.advance(5)],
      ["a new image", () => patch("web", image("web:2"))],
      ["the new pods become ready one by one", () => world.advance(30)],
      ["back to the first image", () => patch("web", image("web:1"))],
      ["time goes by", () => world.advance(30)],
    ]);
    assert.equal((await setsOf("web")).length, 2, "the first set is used again");
  };

  test("rolls: one more, none less", rolls);

  test("does the same over etcd", {
    skip: etcdProgram("current") === undefined && "etcd cannot be had here",
  }, async () => {
    const usual = world;
    try {
      await using other = await startWorld({ ...OPTIONS, store: "etcd" });
      world = other;
      await rolls();
    } finally {
      world = usual;
    }
  });

  test("recreates: no new pod before the last old one is gone", async () => {
    await golden("recreate", [
      [
        "a deployment of 2 that recreates",
        () => world.create(deployment("db", { replicas: 2, strategy: { type: "Recreate" } })),
      ],
      ["its pods are ready", () => world.advance(5)],
      ["a new image", () => patch("db", image("web:2"))],
      ["time goes by", () => world.advance(10)],
    ]);
  });

  test("misses its deadline, and says so until it gets on", async () => {
    await golden("deadline", [
      [
        "a deployment with a deadline of 60 s",
        () => world.create(deployment("late", { replicas: 1, progressDeadlineSeconds: 60 })),
      ],
      ["its pod is ready", () => world.advance(5)],
      ["an image that never gets ready", () => patch("late", image("never-ready"))],
      ["an hour goes by", () => world.advance(3600)],
      ["an image that does", () => patch("late", image("web:2"))],
      ["time goes by", () => world.advance(30)],
    ]);
  });

  test("pauses: what is changed meanwhile is rolled out at once, scaling goes on", async () => {
    await golden("pause", [
      ["a deployment of 2", () => world.create(deployment("slow", { replicas: 2 }))],
      ["its pods are ready", () => world.advance(5)],
      ["it is paused", () => patch("slow", { paused: true })],
      ["a new image", () => patch("slow", image("web:2"))],
      ["scaled to 3", () => patch("slow", { replicas: 3 })],
      ["it goes on", () => patch("slow", { paused: false })],
      ["time goes by", () => world.advance(30)],
    ]);
  });

  test("is scaled in the middle of a rollout: every set gets its part", async () => {
    await world.create(
      deployment("part", { replicas: 10, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
    );
    await world.advance(5);
    await patch("part", image("never-ready"));
    await world.advance(5);
    const sizes = async (): Promise<readonly (number | undefined)[]> =>
      (await setsOf("part")).map(({ spec }) => spec?.replicas).sort((a = 0, b = 0) => b - a);
    assert.deepEqual(await sizes(), [8, 5]);
    await patch("part", { replicas: 20 });
    await world.settle();
    assert.deepEqual(await sizes(), [14, 9], "23 in all: 20 and three more");
    await patch("part", { replicas: 5 });
    await world.settle();
    assert.deepEqual(await sizes(), [5, 3], "8 in all");
  });

  test("keeps as many old sets as it is told to", async () => {
    await world.create(deployment("old", { replicas: 1, revisionHistoryLimit: 1 }));
    for (const version of ["web:2", "web:3", "web:4"]) {
      await world.advance(5);
      await patch("old", image(version));
    }
    await world.advance(10);
    const sets = await setsOf("old");
    assert.deepEqual(
      sets.map(revisionOf).sort((a, b) => a - b),
      [3, 4],
    );
  });

  test("counts a hash that is taken", async () => {
    await world.create(deployment("twin", { replicas: 1 }));
    await world.settle();
    const [first] = await setsOf("twin");
    const name = first?.metadata.name ?? "";
    await world.client.delete({ ...DEPLOYMENTS, namespace: "default", name: "twin" }, { propagationPolicy: "Orphan" });
    await world.client.delete({ ...REPLICA_SETS, namespace: "default", name });
    await world.create({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name, namespace: "default", labels: { app: "other" } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "other" } },
        template: { metadata: { labels: { app: "other" } }, spec: { containers: [{ name: "c", image: "x" }] } },
      },
    });
    await world.client.patch({ ...DEPLOYMENTS, namespace: "default", name: "twin" }, "merge", {
      metadata: { finalizers: [] },
    });
    await world.settle();
    await world.create(deployment("twin", { replicas: 1 }));
    await world.advance(10);
    const { status } = await get("twin");
    assert.equal(status?.collisionCount, 1);
    assert.equal(status?.availableReplicas, 1);
    assert.notEqual((await setsOf("twin"))[0]?.metadata.name, name);
  });

  test("has pods also when its name is as long as names may be", async () => {
    const made = deployment("long", { replicas: 1 });
    await world.create({ ...made, metadata: { ...made.metadata, name: "n".repeat(253) } });
    await world.advance(5);
    const [set] = await setsOf("long");
    assert.match(set?.metadata.name ?? "", /^n{240,}-[a-z0-9]+$/);
    assert.deepEqual([set?.metadata.name?.length, set?.status?.readyReplicas], [253, 1]);
  });

  test("is left alone when nothing changes", async () => {
    const writes = world.history.lines.length;
    const { metadata } = await get("web");
    await world.client.patch({ ...DEPLOYMENTS, namespace: "default", name: "web" }, "merge", {
      metadata: { labels: { touched: "yes" } },
    });
    await world.settle();
    assert.deepEqual(world.history.lines.slice(writes), []);
    assert.equal((await get("web")).metadata.generation, metadata.generation);
  });
});
