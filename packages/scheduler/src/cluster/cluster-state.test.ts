import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@boxship/api";
import fc from "fast-check";
import { podInfoAfter, podInfoOf } from "../pod/pod-info.ts";
import { clusterOf, decide, node, pod } from "../testing/objects.ts";
import type { ClusterState } from "./cluster-state.ts";

const ZONES = ["1", "2", "3"];
const APPS = ["web", "db"];
const SOME = ["a", "b", "c", "d"];

const wish = (app: string) => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app } }, topologyKey: "zone" },
      ],
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: { app } } },
  ],
});

const step = fc.oneof(
  fc.record({ do: fc.constant("node" as const), name: fc.constantFrom(...SOME), zone: fc.constantFrom(...ZONES) }),
  fc.record({ do: fc.constant("noNode" as const), name: fc.constantFrom(...SOME) }),
  fc.record({
    do: fc.constant("pod" as const),
    name: fc.nat(9),
    on: fc.constantFrom(...SOME),
    app: fc.constantFrom(...APPS),
    wishes: fc.boolean(),
  }),
  fc.record({ do: fc.constant("noPod" as const), name: fc.nat(9) }),
  fc.record({ do: fc.constant("ask" as const), app: fc.constantFrom(...APPS) }),
);

const question = (app: string) => pod("asked", { labels: { app }, spec: wish(app) });

/** Answers of a cluster that has counted along, and of one that is made anew. */
function compare(cluster: ClusterState, app: string): void {
  const pods = cluster.nodes.flatMap((one) => [...one.pods.values()].map((info) => ({ info, on: one.name })));
  const fresh = clusterOf(cluster.nodes.map((one) => one.node));
  for (const { info, on } of pods) fresh.setPod(info, on);
  assert.equal(decide(cluster, question(app)), decide(fresh, question(app)));
  for (const one of cluster.nodes) {
    assert.deepEqual(one.requested, { ...fresh.node(one.name)?.requested });
  }
}

test("a pod that is as it was is renewed without being counted; one that may be another is not", () => {
  const make = (more: object = {}, on = "a") => {
    const object = pod("p", { labels: { app: "web" }, cpu: "1", on });
    return { ...object, metadata: { ...object.metadata, uid: "one", generation: 1, ...more } };
  };
  const cluster = clusterOf([node("a")]);
  const before = podInfoOf(make());
  cluster.setPod(before, "a");
  const object = { ...make(), status: { phase: "Running" } };
  const after = podInfoAfter(before, object);
  assert.ok(after !== undefined);
  cluster.renewPod(after);
  assert.equal(cluster.podAt("default/p")?.pod, object);
  assert.equal(cluster.node("a")?.pods.get("default/p")?.pod, object);
  assert.equal(cluster.node("a")?.requested.cpu, 1000);
  assert.equal(podInfoOf(object), after);
  cluster.removePod("default/p");
  assert.deepEqual([cluster.node("a")?.requested.cpu, cluster.node("a")?.pods.size], [0, 0]);
  for (const other of [
    { uid: "two" },
    { generation: 2 },
    { generation: undefined },
    { labels: { app: "db" } },
    { labels: { app: "web", more: "" } },
    { deletionTimestamp: "2026-01-01T00:00:00Z" },
  ]) {
    assert.equal(podInfoAfter(before, make(other) as KubeObject), undefined, JSON.stringify(other));
  }
});

test("counts that follow changes are those that counting anew gives; a trial leaves no trace", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cluster = clusterOf([]);
      for (const one of steps) {
        if (one.do === "node") cluster.setNode(node(one.name, { labels: { zone: one.zone } }));
        else if (one.do === "noNode") cluster.removeNode(one.name);
        else if (one.do === "noPod") cluster.removePod(`default/${one.name}`);
        else if (one.do === "ask") compare(cluster, one.app);
        else {
          const spec = one.wishes ? wish(one.app) : {};
          cluster.setPod(podInfoOf(pod(`${one.name}`, { labels: { app: one.app }, cpu: "1", spec })), one.on);
        }
      }
      cluster.trial((trial) => {
        for (const one of cluster.nodes) for (const info of [...one.pods.values()]) trial.remove(info, one);
        for (const one of cluster.nodes) assert.equal(one.requested.cpu, 0);
      });
      for (const app of APPS) compare(cluster, app);
    }),
    { numRuns: 300 },
  );
});
