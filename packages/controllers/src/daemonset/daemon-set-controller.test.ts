import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { DAEMON_SETS, NODES, PODS, resource } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { DaemonSet } from "../types/sets.ts";
import type { ControllerRevision } from "../types/workloads.ts";
import { nodeOf } from "./daemon-pods.ts";
import { daemonSetController } from "./daemon-set-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({ definitions: [daemonSetController, fakeNodes()], untold: ["nodes"] });
  for (const name of ["node-1", "node-2", "node-3"]) await node(name);
});
after(() => world?.[Symbol.asyncDispose]());

const node = (name: string, labels: Record<string, string> = {}): Promise<unknown> =>
  world.client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {} });
// Nodes are made with the taint of those that are not ready yet.
const taint = (name: string, taints: JsonObject[]): Promise<unknown> =>
  world.client.patch({ ...NODES, name }, "merge", { spec: { taints } });

const set = (name: string, spec: JsonObject = {}, pod: JsonObject = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name, namespace: "default" },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "log:1" }], ...pod } },
    ...spec,
  },
});

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const at = (name: string) => ({ ...DAEMON_SETS, namespace: "default", name });
const get = (name: string): Promise<DaemonSet> => world.client.get<DaemonSet>(at(name));
const image = (name: string, to: string): Promise<unknown> =>
  world.client.patch(at(name), "strategic", {
    spec: { template: { spec: { containers: [{ name: "c", image: to }] } } },
  });
const podsOf = async (name: string): Promise<readonly Pod[]> =>
  (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["app"] === name);
const nodesOf = async (name: string): Promise<ReadonlySet<string>> => new Set((await podsOf(name)).map(nodeOf));

describe("a DaemonSet", () => {
  test("has a pod on each node, and follows nodes that come and go", async () => {
    await taint("node-1", []);
    await taint("node-2", []);
    await taint("node-3", [{ key: "special", value: "yes", effect: "NoSchedule" }]);
    await golden("nodes", [
      ["a set; one of three nodes has a taint", () => world.create(set("log"))],
      ["time goes by", () => world.advance(5)],
      ["the taint goes", () => taint("node-3", [])],
      ["a node throws out whom it can", () => taint("node-2", [{ key: "out", effect: "NoExecute" }])],
      ["time goes by", () => world.advance(5)],
    ]);
    await taint("node-2", []);
    await world.advance(5);
    assert.deepEqual(await nodesOf("log"), new Set(["node-1", "node-2", "node-3"]));
  });

  test("rolls out node by node", async () => {
    await golden("rolling", [
      ["a new image", () => image("log", "log:2")],
      ["time goes by", () => world.advance(10)],
    ]);
    assert.ok((await podsOf("log")).every(({ spec }) => spec?.containers?.[0]?.image === "log:2"));
  });

  test("surges: the new pod is there before the old one goes", async () => {
    const updateStrategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    await world.create(set("surge", { updateStrategy }));
    await world.advance(5);
    await image("surge", "never-ready");
    await world.advance(10);
    const { status } = await get("surge");
    const { numberAvailable, updatedNumberScheduled = 0 } = status ?? {};
    assert.deepEqual([numberAvailable, updatedNumberScheduled], [3, 0], "the oldest on a node counts");
    await image("surge", "log:2");
    await world.advance(10);
    assert.deepEqual((await get("surge")).status?.updatedNumberScheduled, 3);
    assert.equal((await podsOf("surge")).length, 3);
  });

  test("surges over pods that do not work at once, and leaves nodes where none belongs when enough others work", async () => {
    const updateStrategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    await world.create(set("over", { updateStrategy }, { containers: [{ name: "c", image: "never-ready" }] }));
    await world.advance(5);
    const dead = new Set((await podsOf("over")).map(({ metadata }) => metadata.uid));
    await image("over", "log:1");
    await world.settle();
    const fresh = (await podsOf("over")).filter(({ metadata }) => !dead.has(metadata.uid));
    assert.equal(fresh.length, 3, "one new pod on each node, though one may be too many");
    await world.advance(5);
    assert.equal((await get("over")).status?.updatedNumberScheduled, 3);
    await taint("node-3", [{ key: "special", effect: "NoSchedule" }]);
    await world.settle();
    assert.equal((await get("over")).status?.numberMisscheduled, 1);
    await image("over", "log:2");
    await world.advance(20);
    assert.deepEqual(await nodesOf("over"), new Set(["node-1", "node-2"]));
    await taint("node-3", []);
    await world.client.delete(at("over"));
    await world.advance(5);
  });

  test("takes no pod's word for whose it is, and replaces those that ended and are held", async () => {
    await world.create(set("edited", {}, { containers: [{ name: "c", image: "log:1" }] }));
    await world.advance(5);
    const [strayed, held] = await podsOf("edited");
    const pod = (one: Pod | undefined) => ({ ...PODS, namespace: "default", name: one?.metadata.name ?? "" });
    const nodes = [strayed, held].map((one) => nodeOf(one ?? ({} as Pod)));
    await world.client.patch(pod(strayed), "merge", { metadata: { labels: { app: "other" } } });
    await world.client.patch(pod(held), "merge", { metadata: { finalizers: ["example.com/held"] } });
    await world.advance(2);
    const { metadata } = await world.client.get<Pod>(pod(strayed));
    assert.deepEqual(metadata.ownerReferences ?? [], [], "it is let go");
    assert.ok((await nodesOf("edited")).has(nodes[0] ?? ""), "and another one is there");
    await world.client.patch(pod(strayed), "merge", { metadata: { labels: { app: "edited" } } });
    await world.advance(5);
    const twice = (await podsOf("edited")).filter((one) => nodeOf(one) === nodes[0]);
    assert.deepEqual(
      twice.map(({ metadata: { name } }) => name),
      [strayed?.metadata.name],
      "it is taken back, and the younger one goes",
    );
    await world.client.delete(pod(held));
    await world.advance(5);
    const others = (await podsOf("edited")).filter((one) => nodeOf(one) === nodes[1]);
    assert.equal(others.length, 2, "one that has ended and is held, and a new one");
    assert.deepEqual((await get("edited")).status?.numberAvailable, 3);
    await world.client.patch(pod(held), "merge", { metadata: { finalizers: null } });
    await world.advance(2);
  });

  test("puts up for ever with what its pods would only put up with for a while", async () => {
    const toleration = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" };
    const own = { key: "mine", operator: "Exists", tolerationSeconds: 5, effect: "NoExecute" };
    await world.create(set("stoic", {}, { tolerations: [{ ...toleration, tolerationSeconds: 300 }, own] }));
    await world.advance(5);
    const [pod] = await podsOf("stoic");
    assert.deepEqual(pod?.spec?.tolerations?.slice(0, 2), [toleration, own]);
    assert.equal(pod?.spec?.tolerations?.length, 7);
  });

  const REVISIONS = resource("apps", "v1", "controllerrevisions");
  const revisionsOf = async (name: string) =>
    (await world.list<ControllerRevision>("apps/v1", "controllerrevisions"))
      .filter(({ metadata }) => metadata.ownerReferences?.some((one) => one.name === name))
      .sort((one, other) => (one.revision ?? 0) - (other.revision ?? 0));
  const revision = (name: string) => ({ ...REVISIONS, namespace: "default", name });

  test("keeps a history that says why, and makes nothing new when it goes", async () => {
    const cause = "kubernetes.io/change-cause";
    const made = set("past", { revisionHistoryLimit: 1, updateStrategy: { type: "OnDelete" } });
    await world.create({ ...made, metadata: { ...made.metadata, annotations: { [cause]: "first" } } });
    await world.advance(5);
    await world.client.patch(at("past"), "merge", { metadata: { annotations: { [cause]: "second" } } });
    await image("past", "log:2");
    await world.settle();
    const causes = async () =>
      (await revisionsOf("past")).map(({ metadata, revision: number }) => [number, metadata.annotations?.[cause]]);
    assert.deepEqual(await causes(), [
      [1, "first"],
      [2, "second"],
    ]);
    const [first, second] = await revisionsOf("past");
    const hash = second?.metadata.labels?.["controller-revision-hash"];
    assert.equal(second?.metadata.name, `past-${hash}`);
    // Its pods have the first one, which stays; of the others none is kept beside that.
    await image("past", "log:3");
    await world.settle();
    assert.deepEqual(
      (await revisionsOf("past")).map(({ metadata }) => metadata.name),
      [first?.metadata.name, (await revisionsOf("past")).at(-1)?.metadata.name],
    );
    await image("past", "log:1");
    await world.settle();
    assert.equal((await get("past")).status?.updatedNumberScheduled, 3, "back to the first");
    const back = (await revisionsOf("past")).at(-1);
    assert.deepEqual([back?.metadata.name, back?.revision], [first?.metadata.name, 4]);
    await world.client.delete(revision(first?.metadata.name ?? ""));
    await world.settle();
    assert.equal((await revisionsOf("past")).at(-1)?.metadata.name, first?.metadata.name, "it is made anew");
    await world.client.patch(at("past"), "merge", { metadata: { finalizers: ["example.com/held"] } });
    await world.client.delete(at("past"));
    await world.settle();
    for (const { metadata } of await revisionsOf("past")) await world.client.delete(revision(metadata.name ?? ""));
    await world.advance(5);
    assert.deepEqual(await revisionsOf("past"), []);
    await world.client.patch(at("past"), "merge", { metadata: { finalizers: null } });
  });

  test("names a revision otherwise whose name somebody else has", async () => {
    await world.create(set("taken"));
    await world.settle();
    const [made] = await revisionsOf("taken");
    const name = made?.metadata.name ?? "";
    await world.client.delete(at("taken"));
    await world.client.delete(revision(name));
    await world.create({
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: { name, namespace: "default" },
      data: {},
      revision: 7,
    });
    await world.create(set("taken"));
    await world.settle();
    const [other] = await revisionsOf("taken");
    assert.notEqual(other?.metadata.name, name);
    assert.equal((await get("taken")).status?.collisionCount, 1);
    await world.advance(5);
    assert.equal((await revisionsOf("taken")).length, 1);
  });

  test("on delete: only what somebody deletes is new", async () => {
    await world.create(set("hand", { updateStrategy: { type: "OnDelete" } }));
    await world.advance(5);
    await image("hand", "log:2");
    await world.advance(5);
    assert.deepEqual((await get("hand")).status?.updatedNumberScheduled ?? 0, 0);
    const [pod] = await podsOf("hand");
    await world.client.delete({ ...PODS, namespace: "default", name: pod?.metadata.name ?? "" });
    await world.advance(5);
    assert.equal((await get("hand")).status?.updatedNumberScheduled, 1);
  });

  test("goes where labels and affinity let it", async () => {
    await world.create(set("disk", {}, { nodeSelector: { disk: "fast" } }));
    await world.advance(5);
    assert.deepEqual(await nodesOf("disk"), new Set());
    await world.client.patch({ ...NODES, name: "node-2" }, "merge", { metadata: { labels: { disk: "fast" } } });
    await world.advance(5);
    assert.deepEqual(await nodesOf("disk"), new Set(["node-2"]));
    await world.client.patch({ ...NODES, name: "node-2" }, "merge", { metadata: { labels: { disk: null } } });
    await world.advance(5);
    assert.deepEqual(await nodesOf("disk"), new Set());
  });

  test("replaces what fails, less and less often", async () => {
    await world.create(set("bad", {}, { containers: [{ name: "c", image: "exit-1" }], nodeSelector: { bad: "yes" } }));
    await world.client.patch({ ...NODES, name: "node-1" }, "merge", { metadata: { labels: { bad: "yes" } } });
    const made = world.history.lines.length;
    await world.advance(120);
    const created = world.history.lines.slice(made).filter((line) => line.includes("Created pod: bad-")).length;
    assert.ok(created > 5 && created < 16, `${created} pods in two minutes`);
  });
});
