import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { DAEMON_SETS, NODES, PODS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Pod } from "../types/pod.ts";
import type { DaemonSet } from "../types/sets.ts";
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
    assert.deepEqual([status?.numberAvailable, status?.updatedNumberScheduled], [3, 1]);
    await image("surge", "log:2");
    await world.advance(10);
    assert.deepEqual((await get("surge")).status?.updatedNumberScheduled, 3);
    assert.equal((await podsOf("surge")).length, 3);
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
