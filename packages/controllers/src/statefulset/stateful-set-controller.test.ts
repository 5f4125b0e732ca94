import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { garbageCollector } from "../garbage/garbage-collector.ts";
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { StatefulSet } from "../types/sets.ts";
import { claimProtection } from "../volumes/protection-controllers.ts";
import { statefulSetController } from "./stateful-set-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [statefulSetController, garbageCollector, claimProtection, fakeNodes()],
    untold: ["nodes", "garbage-collector-controller", "pvc-protection-controller"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const CLAIMS = [
  {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  },
];

const set = (name: string, spec: JsonObject = {}, image = "db:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 2,
    serviceName: name,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image }] } },
    ...spec,
  },
});

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const at = (name: string) => ({ ...STATEFUL_SETS, namespace: "default", name });
const get = (name: string): Promise<StatefulSet> => world.client.get<StatefulSet>(at(name));
const patch = (name: string, spec: JsonObject): Promise<unknown> => world.client.patch(at(name), "strategic", { spec });
const image = (to: string): JsonObject => ({ template: { spec: { containers: [{ name: "c", image: to }] } } });

async function members(name: string): Promise<Readonly<Record<string, string | undefined>>> {
  const pods = (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["app"] === name);
  return Object.fromEntries(pods.map(({ metadata, spec }) => [metadata.name, spec?.containers?.[0]?.image]));
}

async function claims(name: string): Promise<ReadonlySet<string | undefined>> {
  const found = await world.list("v1", "persistentvolumeclaims");
  return new Set(found.map(({ metadata }) => metadata.name).filter((one) => one?.includes(`-${name}-`)));
}

describe("a StatefulSet", () => {
  test("makes its members in order, each with its claim, and updates the last first", async () => {
    await golden("ordered", [
      ["a set of 2 with a claim each", () => world.create(set("db", { volumeClaimTemplates: CLAIMS }))],
      ["time goes by", () => world.advance(10)],
      ["a new image", () => patch("db", image("db:2"))],
      ["time goes by", () => world.advance(10)],
      ["scaled to 1", () => patch("db", { replicas: 1 })],
      ["time goes by", () => world.advance(10)],
    ]);
    const pod = await world.client.get<Pod>({ ...PODS, namespace: "default", name: "db-0" });
    assert.deepEqual([pod.spec?.hostname, pod.spec?.subdomain], ["db-0", "db"]);
    assert.equal(pod.metadata.labels?.["apps.kubernetes.io/pod-index"], "0");
    assert.deepEqual(await claims("db"), new Set(["data-db-0", "data-db-1"]), "claims stay");
  });

  test("in parallel: updates past a member that does not work, and lets go what has no member's name", async () => {
    await world.create(set("past", { replicas: 3, podManagementPolicy: "Parallel" }));
    await world.advance(5);
    const unready = { conditions: [{ type: "Ready", status: "False" }] };
    const first = { ...PODS, namespace: "default", name: "past-0" };
    await world.client.patch(first, "strategic", { status: unready }, { subresource: "status" });
    await patch("past", image("db:2"));
    await world.advance(20);
    assert.deepEqual(await members("past"), { "past-0": "db:2", "past-1": "db:2", "past-2": "db:2" });
    const { metadata } = await get("past");
    const owner = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      name: "past",
      uid: metadata.uid ?? "",
      controller: true,
    };
    await world.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "past-x", namespace: "default", labels: { app: "past" }, ownerReferences: [owner] },
      spec: { containers: [{ name: "c", image: "db:1" }] },
    });
    await world.advance(5);
    const odd = await world.client.get<Pod>({ ...PODS, namespace: "default", name: "past-x" });
    assert.deepEqual([odd.metadata.ownerReferences ?? [], odd.metadata.deletionTimestamp], [[], undefined]);
    assert.equal((await get("past")).status?.replicas, 3);
  });

  test("waits for a member that does not get ready", async () => {
    await world.create(set("stuck", { replicas: 3 }, "never-ready"));
    await world.advance(60);
    assert.deepEqual(await members("stuck"), { "stuck-0": "never-ready" });
    await patch("stuck", { replicas: 0 });
    await world.advance(10);
  });

  test("in parallel: all at once, from the first ordinal on", async () => {
    await world.create(
      set("par", { replicas: 3, podManagementPolicy: "Parallel", ordinals: { start: 5 } }, "never-ready"),
    );
    await world.settle();
    assert.deepEqual(new Set(Object.keys(await members("par"))), new Set(["par-5", "par-6", "par-7"]));
    await patch("par", { replicas: 0 });
    await world.advance(5);
    assert.deepEqual(await members("par"), {});
  });

  test("updates from the partition on, and makes members below it as they were", async () => {
    await world.create(set("part", { replicas: 3, updateStrategy: { rollingUpdate: { partition: 2 } } }));
    await world.advance(10);
    await patch("part", image("db:2"));
    await world.advance(10);
    assert.deepEqual(await members("part"), { "part-0": "db:1", "part-1": "db:1", "part-2": "db:2" });
    await world.client.delete({ ...PODS, namespace: "default", name: "part-0" });
    await world.advance(10);
    assert.equal((await members("part"))["part-0"], "db:1");
    const { status } = await get("part");
    assert.deepEqual([status?.currentReplicas, status?.updatedReplicas], [2, 1]);
    assert.notEqual(status?.currentRevision, status?.updateRevision);
    await patch("part", { updateStrategy: { rollingUpdate: { partition: 0 } } });
    await world.advance(20);
    const rolled = (await get("part")).status;
    assert.deepEqual([rolled?.currentReplicas, rolled?.currentRevision], [3, rolled?.updateRevision]);
  });

  test("updates as many at once as may be away", async () => {
    const updateStrategy = { rollingUpdate: { maxUnavailable: 2 } };
    await world.create(set("fast", { replicas: 4, podManagementPolicy: "Parallel", updateStrategy }));
    await world.advance(10);
    await patch("fast", image("never-ready"));
    await world.advance(30);
    assert.deepEqual(
      Object.values(await members("fast")).filter((one) => one === "never-ready"),
      ["never-ready", "never-ready"],
    );
    await patch("fast", image("db:2"));
    await world.advance(30);
    assert.deepEqual(new Set(Object.values(await members("fast"))), new Set(["db:2"]));
  });

  test("on delete: only what somebody deletes is new", async () => {
    await world.create(set("hand", { updateStrategy: { type: "OnDelete" } }));
    await world.advance(10);
    await patch("hand", image("db:2"));
    await world.advance(10);
    assert.deepEqual(await members("hand"), { "hand-0": "db:1", "hand-1": "db:1" });
    await world.client.delete({ ...PODS, namespace: "default", name: "hand-1" });
    await world.advance(10);
    assert.deepEqual(await members("hand"), { "hand-0": "db:1", "hand-1": "db:2" });
  });

  test("replaces a member that failed, and finds its revision again after a rollback", async () => {
    await golden("failed", [
      ["a set of 1", () => world.create(set("one", { replicas: 1 }))],
      ["time goes by", () => world.advance(5)],
      [
        "its pod fails",
        () =>
          world.client.patch(
            { ...PODS, namespace: "default", name: "one-0" },
            "merge",
            { status: { phase: "Failed" } },
            { subresource: "status" },
          ),
      ],
      ["time goes by", () => world.advance(5)],
    ]);
    const first = (await get("one")).status?.updateRevision;
    await patch("one", image("db:2"));
    await world.advance(5);
    await patch("one", image("db:1"));
    await world.advance(5);
    assert.equal((await get("one")).status?.updateRevision, first);
    const revisions = (await world.client.list(CONTROLLER_REVISIONS)).items.filter(
      ({ metadata }) => metadata.labels?.["app"] === "one",
    );
    assert.deepEqual(new Set(revisions.map((one) => one["revision"])), new Set([2, 3]));
  });

  test("claims go with members that are too many, and with the set, where it asks for that", async () => {
    const persistentVolumeClaimRetentionPolicy = { whenDeleted: "Delete", whenScaled: "Delete" };
    await world.create(set("own", { volumeClaimTemplates: CLAIMS, persistentVolumeClaimRetentionPolicy }));
    await world.advance(10);
    await patch("own", { replicas: 1 });
    await world.advance(10);
    assert.deepEqual(await claims("own"), new Set(["data-own-0"]));
    await world.client.delete(at("own"), { propagationPolicy: "Background" });
    await world.advance(10);
    assert.deepEqual(await claims("own"), new Set());
    assert.equal((await world.client.list({ ...PERSISTENT_VOLUME_CLAIMS, namespace: "default" })).items.length, 2);
  });
});
