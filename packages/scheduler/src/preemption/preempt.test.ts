import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KubeObject } from "@boxship/api";
import { NodeFinder } from "../cycle/find-node.ts";
import { podInfoOf } from "../pod/pod-info.ts";
import { defaultProfile } from "../profile.ts";
import { clusterOf, node, pod } from "../testing/objects.ts";
import { budgetOf, preempt } from "./preempt.ts";
import { PromisedPlaces } from "./promised-places.ts";

interface Case {
  readonly what: string;
  readonly nodes: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly pod?: KubeObject;
  readonly budgets?: readonly KubeObject[];
  readonly promised?: readonly (readonly [KubeObject, string])[];
  readonly is: string;
}

const budget = (app: string, disruptionsAllowed: number): KubeObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: app, namespace: "default" },
  spec: { selector: { matchLabels: { app } } },
  status: { disruptionsAllowed },
});

const started = (startTime: string) => ({ status: { startTime } });
const urgent = pod("urgent", { cpu: "2", priority: 100 });

const cases: readonly Case[] = [
  {
    what: "the least important goes, and no more than must",
    nodes: [node("a")],
    pods: [pod("low", { cpu: "2", priority: 1, on: "a" }), pod("lower", { cpu: "2", priority: 0, on: "a" })],
    is: "a: lower",
  },
  {
    what: "the node whose most important victim is the least important",
    nodes: [node("a"), node("b")],
    pods: [pod("x", { cpu: "4", priority: 5, on: "a" }), pod("y", { cpu: "4", priority: 3, on: "b" })],
    is: "b: y",
  },
  {
    what: "few victims are better than many of the same sum",
    nodes: [node("a"), node("b")],
    pods: [
      pod("1", { cpu: "2", on: "a" }),
      pod("2", { cpu: "2", on: "a", priority: 100 }),
      pod("3", { cpu: "1", on: "b" }),
      pod("4", { cpu: "1", on: "b" }),
      pod("5", { cpu: "2", on: "b", priority: 100 }),
    ],
    is: "a: 1",
  },
  {
    what: "a budget is kept where another node would do",
    nodes: [node("a"), node("b")],
    pods: [
      pod("kept", { cpu: "4", on: "a", labels: { app: "db" } }),
      pod("worth more", { cpu: "4", on: "b", priority: 50 }),
    ],
    budgets: [budget("db", 0)],
    is: "b: worth more",
  },
  {
    what: "a budget is broken where nothing else helps, and who is not protected goes first",
    nodes: [node("a")],
    pods: [pod("kept", { cpu: "2", on: "a", labels: { app: "db" } }), pod("free", { cpu: "2", on: "a", priority: 50 })],
    budgets: [budget("db", 0)],
    is: "a: free",
  },
  {
    what: "who started last goes first",
    nodes: [node("a"), node("b")],
    pods: [
      pod("old", { cpu: "4", on: "a", ...started("2026-01-01T00:00:00Z") }),
      pod("young", { cpu: "4", on: "b", ...started("2026-01-02T00:00:00Z") }),
    ],
    is: "b: young",
  },
  {
    what: "nobody less important is there",
    nodes: [node("a")],
    pods: [pod("1", { cpu: "4", on: "a", priority: 100 })],
    is: "0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  },
  {
    what: "what cannot be helped",
    nodes: [node("a", { cpu: "1" }), node("b", { taints: [{ key: "k", effect: "NoSchedule" }] })],
    pods: [pod("1", { cpu: "1", on: "a" })],
    is: "0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
  },
  {
    what: "a pod that never preempts",
    nodes: [node("a")],
    pods: [pod("1", { cpu: "4", on: "a" })],
    pod: pod("meek", { cpu: "1", priority: 9, spec: { preemptionPolicy: "Never" } }),
    is: "not eligible due to preemptionPolicy=Never.",
  },
  {
    what: "what was promised to another of the same importance is not taken",
    nodes: [node("a")],
    pods: [pod("1", { cpu: "1", on: "a" })],
    promised: [[pod("other", { cpu: "3", priority: 100 }), "a"]],
    is: "0/1 nodes are available: 1 Insufficient cpu.",
  },
  {
    what: "who is in the way by anti-affinity goes",
    nodes: [node("a")],
    pods: [
      pod("1", {
        on: "a",
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "kubernetes.io/hostname" },
              ],
            },
          },
        },
      }),
      pod("2", { on: "a" }),
    ],
    pod: pod("web", { priority: 1, labels: { app: "web" } }),
    is: "a: 1",
  },
];

describe("making room", () => {
  for (const { what, nodes, pods, pod: one = urgent, budgets = [], promised = [], is } of cases) {
    test(what, () => {
      const cluster = clusterOf(nodes, pods);
      const promises = new PromisedPlaces();
      for (const [other, where] of promised) promises.set(podInfoOf(other), where);
      const random = (): number => 0;
      const info = podInfoOf(one);
      const found = new NodeFinder(cluster, promises, random).find(defaultProfile, info);
      assert.ok("misfit" in found, "it fits as it is");
      const context = { profile: defaultProfile, cluster, promises, budgets: budgets.map(budgetOf), random };
      const result = preempt(info, found.misfit, context);
      const said =
        "chosen" in result
          ? `${result.chosen.node.name}: ${result.chosen.victims.map(({ pod: victim }) => victim.metadata.name).join(", ")}`
          : result.message;
      assert.equal(said, is);
      assert.equal(
        cluster.nodes.reduce((sum, { pods: there }) => sum + there.size, 0),
        pods.length,
        "nothing is changed",
      );
    });
  }
});
