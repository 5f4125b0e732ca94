import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { Change } from "../plugin.ts";
import { podInfoOf } from "../pod/pod-info.ts";
import { defaultProfile } from "../profile.ts";
import { clusterOf, type NodeParts, node, type PodParts, pod } from "../testing/objects.ts";

const nodeInfo = (name: string, parts: NodeParts = {}): NodeInfo => {
  const found = clusterOf([node(name, parts)]).node(name);
  assert.ok(found);
  return found;
};
const added = (name: string, parts?: NodeParts): Change => ({ kind: "nodeAdded", node: nodeInfo(name, parts) });
const gone = (parts: PodParts = {}): Change => ({
  kind: "podGone",
  pod: podInfoOf(pod("other", { on: "n", ...parts })),
});
const placed = (parts: PodParts = {}): Change => ({
  kind: "podPlaced",
  pod: podInfoOf(pod("other", { on: "n", ...parts })),
});
const term = (app: string, more = {}) => ({
  labelSelector: { matchLabels: { app } },
  topologyKey: "kubernetes.io/hostname",
  ...more,
});
const affine = (kind: "podAffinity" | "podAntiAffinity", more = {}): PodParts => ({
  labels: { app: "web" },
  spec: { affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [term("db", more)] } } },
});
const port = (hostPort: number, more = {}): PodParts => ({
  container: { ports: [{ containerPort: 80, hostPort, ...more }] },
});
const spread: PodParts = {
  spec: {
    topologySpreadConstraints: [
      { ...term("web"), maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" },
    ],
  },
};
const claiming: PodParts = { spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "mine" } }] } };
const claim = (name: string): Change => ({ kind: "volumes", claim: `default/${name}` });

/** The plugin that kept a pod out, the pod, what happens, and whether the pod is tried for that. */
const cases: readonly (readonly [string, string, PodParts, Change, boolean])[] = [
  ["the node that it names comes", "NodeName", { on: "n" }, added("n"), true],
  ["another node comes", "NodeName", { on: "n" }, added("m"), false],
  ["a node that is cordoned comes", "NodeUnschedulable", {}, added("n", { unschedulable: true }), false],
  [
    "a node is uncordoned",
    "NodeUnschedulable",
    {},
    { kind: "nodeChanged", node: nodeInfo("n"), what: new Set(["taints"]) },
    true,
  ],
  [
    "a node gets a label",
    "NodeUnschedulable",
    {},
    { kind: "nodeChanged", node: nodeInfo("n"), what: new Set(["labels"]) },
    false,
  ],
  ["a node of another label comes", "NodeAffinity", { spec: { nodeSelector: { disk: "fast" } } }, added("n"), false],
  [
    "a node of its label comes",
    "NodeAffinity",
    { spec: { nodeSelector: { disk: "fast" } } },
    added("n", { labels: { disk: "fast" } }),
    true,
  ],
  ["a node that is too small comes", "NodeResourcesFit", { cpu: "8" }, added("n"), false],
  ["a large node comes", "NodeResourcesFit", { cpu: "8" }, added("n", { cpu: "16" }), true],
  ["a pod comes", "NodeResourcesFit", { cpu: "8" }, placed(), false],
  ["a pod goes", "NodeResourcesFit", { cpu: "8" }, gone(), true],
  ["a pod with its port goes", "NodePorts", port(80), gone(port(80)), true],
  ["one with another port goes", "NodePorts", port(80), gone(port(81)), false],
  [
    "one with its port at another address goes",
    "NodePorts",
    port(80, { hostIP: "10.0.0.1" }),
    gone(port(80, { hostIP: "10.0.0.2" })),
    false,
  ],
  ["one with its port at all addresses goes", "NodePorts", port(80, { hostIP: "10.0.0.1" }), gone(port(80)), true],
  ["one with its port by UDP goes", "NodePorts", port(80), gone(port(80, { protocol: "UDP" })), false],
  [
    "one that it wants to be near to comes",
    "InterPodAffinity",
    affine("podAffinity"),
    placed({ labels: { app: "db" } }),
    true,
  ],
  ["any other one comes", "InterPodAffinity", affine("podAffinity"), placed({ labels: { app: "x" } }), false],
  [
    "one of another namespace comes",
    "InterPodAffinity",
    affine("podAffinity"),
    placed({ namespace: "other", labels: { app: "db" } }),
    false,
  ],
  [
    "one of some namespace comes",
    "InterPodAffinity",
    affine("podAffinity", { namespaceSelector: {} }),
    placed({ namespace: "other", labels: { app: "db" } }),
    true,
  ],
  [
    "one that it wants to be away from goes",
    "InterPodAffinity",
    affine("podAntiAffinity"),
    gone({ labels: { app: "db" } }),
    true,
  ],
  [
    "one that wants to be away from it goes",
    "InterPodAffinity",
    { labels: { app: "db" } },
    gone(affine("podAntiAffinity")),
    true,
  ],
  ["any other one goes", "InterPodAffinity", affine("podAntiAffinity"), gone({ labels: { app: "x" } }), false],
  ["one that counts goes", "PodTopologySpread", spread, gone({ labels: { app: "web" } }), true],
  ["one that does not count goes", "PodTopologySpread", spread, gone({ labels: { app: "x" } }), false],
  ["a node goes, and its zone with it", "PodTopologySpread", spread, { kind: "nodeGone", name: "n" }, true],
  ["a node goes", "NodeResourcesFit", {}, { kind: "nodeGone", name: "n" }, false],
  ["its claim changes", "VolumeBinding", claiming, claim("mine"), true],
  ["another claim changes", "VolumeBinding", claiming, claim("other"), false],
  ["a volume comes", "VolumeBinding", claiming, { kind: "volumes" }, true],
  ["another claim changes", "VolumeRestrictions", claiming, claim("other"), false],
];
for (const [what, name, parts, change, isTried] of cases) {
  test(`${name} has a pod ${isTried ? "tried" : "wait on"} when ${what}`, () => {
    const plugin = defaultProfile.plugins.find((one) => one.name === name);
    assert.ok(plugin);
    assert.equal(plugin.mayHelp?.(podInfoOf(pod("waits", parts)), change) ?? false, isTried);
  });
}
