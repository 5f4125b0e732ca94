import assert from "node:assert/strict";
import { test } from "node:test";
import { podInfoOf } from "../pod/pod-info.ts";
import { clusterOf, node, pod } from "../testing/objects.ts";
import { PodsByLabel } from "./pods-by-label.ts";

const WISH = {
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: "web", tier: "front" } }, topologyKey: "zone" },
        { labelSelector: { matchExpressions: [{ key: "app", operator: "Exists" }] }, topologyKey: "zone" },
        { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "zone", namespaceSelector: {} },
      ],
    },
  },
};

test("a selector looks at the pods with one of its labels in its namespace, or at all", () => {
  const cluster = clusterOf([node("a"), node("b")]);
  const pods = new PodsByLabel(new Map(cluster.nodes.map((one) => [one.name, one])));
  const [a, b] = cluster.nodes;
  assert.ok(a !== undefined && b !== undefined);
  const web = podInfoOf(pod("web", { labels: { app: "web", more: "" } }));
  const db = podInfoOf(pod("db", { labels: { app: "db", tier: "web" } }));
  const bare = podInfoOf(pod("bare", {}));
  const elsewhere = pod("web", { labels: { app: "web" } });
  const other = podInfoOf({ ...elsewhere, metadata: { ...elsewhere.metadata, namespace: "other" } });
  for (const [info, on] of [
    [web, a],
    [db, b],
    [bare, b],
    [other, b],
  ] as const) {
    on.add(info);
    pods.add(info, on);
  }
  const [both, some, everywhere] = podInfoOf(pod("asks", { spec: WISH })).requiredAffinity;
  assert.ok(both !== undefined && some !== undefined && everywhere !== undefined);
  const found = (term: typeof both) => [...pods.candidates(term)].map(([info, on]) => `${info.key} ${on.name}`);
  assert.deepEqual(found(both), ["default/web a"]);
  const all = ["default/web a", "default/db b", "default/bare b", "other/web b"];
  assert.deepEqual(found(some), all);
  assert.deepEqual(found(everywhere), all);
  a.remove(web);
  pods.remove(web);
  assert.deepEqual(found(both), []);
});
