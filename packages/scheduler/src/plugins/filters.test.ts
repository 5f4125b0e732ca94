import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { clusterOf, decide, node, pod } from "../testing/objects.ts";

const zone = (name: string, value: string, more: JsonObject = {}): KubeObject =>
  node(name, { labels: { zone: value }, ...more });

const web = { matchLabels: { app: "web" } };

const affinity = (kind: "podAffinity" | "podAntiAffinity", topologyKey: string, more: JsonObject = {}): JsonObject => ({
  affinity: {
    [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: web, topologyKey, ...more }] },
  },
});

const spread = (maxSkew: number, topologyKey: string, more: JsonObject = {}): JsonObject => ({
  topologySpreadConstraints: [
    { maxSkew, topologyKey, whenUnsatisfiable: "DoNotSchedule", labelSelector: web, ...more },
  ],
});

const required = (...nodeSelectorTerms: JsonObject[]): JsonObject => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});

const app = { labels: { app: "web" } };

interface Case {
  readonly what: string;
  readonly nodes: readonly KubeObject[];
  readonly pods?: readonly KubeObject[];
  readonly pod: KubeObject;
  readonly is: string;
}

const cases: readonly Case[] = [
  {
    what: "it claims devices, which nobody gives",
    nodes: [node("a"), node("b")],
    pod: pod("p", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "one" }] } }),
    is: "0/2 nodes are available: dynamic resources (resourceClaims) are not supported.",
  },
  { what: "there is no node", nodes: [], pod: pod("p"), is: "no nodes available to schedule pods" },
  {
    what: "each lacks something",
    nodes: [node("a", { cpu: "1" }), node("b", { memory: "1Gi" }), node("c", { pods: "0" })],
    pod: pod("p", { cpu: "2", memory: "2Gi" }),
    is: "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods.",
  },
  {
    what: "what is there counts",
    nodes: [node("a"), node("b")],
    pods: [pod("1", { cpu: "3", on: "a" }), pod("2", { cpu: "2500m", on: "b" })],
    pod: pod("p", { cpu: "1500m" }),
    is: "b",
  },
  {
    what: "what a node has more of",
    nodes: [node("a"), node("b", { others: { "example.com/gpu": "2" } })],
    pods: [pod("1", { on: "b", container: { resources: { requests: { "example.com/gpu": "1" } } } })],
    pod: pod("p", { container: { resources: { requests: { "example.com/gpu": "2" } } } }),
    is: "0/2 nodes are available: 2 Insufficient example.com/gpu.",
  },
  {
    what: "init containers need more than what comes after them; one that stays counts to the end",
    nodes: [node("a")],
    pod: pod("p", {
      cpu: "1",
      spec: {
        initContainers: [
          { name: "stays", restartPolicy: "Always", resources: { requests: { cpu: "2" } } },
          { name: "once", resources: { requests: { cpu: "2500m" } } },
        ],
      },
    }),
    is: "0/1 nodes are available: 1 Insufficient cpu.",
  },
  {
    what: "overhead",
    nodes: [node("a")],
    pod: pod("p", { cpu: "3900m", spec: { overhead: { cpu: "200m" } } }),
    is: "0/1 nodes are available: 1 Insufficient cpu.",
  },
  {
    what: "requests of the whole pod replace its containers'",
    nodes: [node("a")],
    pod: pod("p", { cpu: "9", spec: { resources: { requests: { cpu: "1" } } } }),
    is: "a",
  },
  {
    what: "cordoned, tainted, wrong",
    nodes: [
      node("a", { unschedulable: true }),
      node("b", { taints: [{ key: "k", value: "v", effect: "NoExecute" }] }),
      node("c"),
    ],
    pod: pod("p", { spec: { nodeSelector: { disk: "ssd" } } }),
    is:
      "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, " +
      "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.",
  },
  {
    what: "taints are tolerated by key, by value, all",
    nodes: [
      node("a", {
        taints: [
          { key: "k", value: "v", effect: "NoSchedule" },
          { key: "o", effect: "NoExecute" },
        ],
      }),
    ],
    pod: pod("p", {
      spec: {
        tolerations: [
          { key: "k", operator: "Equal", value: "v" },
          { key: "o", operator: "Exists", effect: "NoExecute" },
        ],
      },
    }),
    is: "a",
  },
  {
    what: "another effect is not tolerated",
    nodes: [node("a", { taints: [{ key: "k", effect: "NoSchedule" }] })],
    pod: pod("p", { spec: { tolerations: [{ operator: "Exists", effect: "NoExecute" }] } }),
    is: "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
  },
  {
    what: "numbers in labels, names of nodes, several terms",
    nodes: [node("a", { labels: { n: "5" } }), node("b", { labels: { n: "10" } }), node("c", { labels: { n: "x" } })],
    pod: pod("p", {
      spec: required(
        { matchExpressions: [{ key: "n", operator: "Gt", values: ["5"] }] },
        { matchFields: [{ key: "metadata.name", operator: "In", values: ["nowhere"] }] },
      ),
    }),
    is: "b",
  },
  {
    what: "a term without requirements matches nothing",
    nodes: [node("a")],
    pod: pod("p", { spec: required({}) }),
    is: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    what: "ports of the host, on one address and on all",
    nodes: [node("a"), node("b")],
    pods: [
      pod("1", { on: "a", container: { ports: [{ hostPort: 80 }] } }),
      pod("2", { on: "b", container: { ports: [{ hostPort: 80, hostIP: "10.0.0.1" }] } }),
    ],
    pod: pod("p", { container: { ports: [{ hostPort: 80, hostIP: "10.0.0.1" }] } }),
    is: "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
  },
  {
    what: "the same port of another protocol or address is free",
    nodes: [node("a")],
    pods: [pod("1", { on: "a", container: { ports: [{ hostPort: 80, hostIP: "10.0.0.1" }, { hostPort: 81 }] } })],
    pod: pod("p", {
      container: {
        ports: [
          { hostPort: 80, hostIP: "10.0.0.2" },
          { hostPort: 81, protocol: "UDP" },
        ],
      },
    }),
    is: "a",
  },
  {
    what: "near to its like",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [pod("1", { on: "b", ...app })],
    pod: pod("p", { spec: affinity("podAffinity", "zone") }),
    is: "b",
  },
  {
    what: "near to nobody",
    nodes: [zone("a", "1"), zone("b", "2")],
    pod: pod("p", { spec: affinity("podAffinity", "zone") }),
    is: "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.",
  },
  {
    what: "the first of a group",
    nodes: [node("a"), zone("b", "2")],
    pod: pod("p", { ...app, spec: affinity("podAffinity", "zone") }),
    is: "b",
  },
  {
    what: "company in another namespace is none, unless namespaces are named or selected",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [pod("1", { on: "b", namespace: "other", ...app })],
    pod: pod("p", { spec: affinity("podAffinity", "zone") }),
    is: "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.",
  },
  {
    what: "company in a named namespace",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [pod("1", { on: "b", namespace: "other", ...app })],
    pod: pod("p", { spec: affinity("podAffinity", "zone", { namespaces: ["other"] }) }),
    is: "b",
  },
  {
    what: "company in namespaces by label",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [pod("1", { on: "b", ...app })],
    pod: pod("p", {
      namespace: "other",
      spec: affinity("podAffinity", "zone", {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
      }),
    }),
    is: "b",
  },
  {
    what: "away from its like",
    nodes: [zone("a", "1"), zone("b", "1"), zone("c", "2")],
    pods: [pod("1", { on: "a", ...app })],
    pod: pod("p", { spec: affinity("podAntiAffinity", "zone") }),
    is: "c",
  },
  {
    what: "those that are there want it away",
    nodes: [zone("a", "1"), zone("b", "1")],
    pods: [pod("1", { on: "a", spec: affinity("podAntiAffinity", "zone") })],
    pod: pod("p", app),
    is: "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
  },
  {
    what: "spread over zones",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [pod("1", { on: "a", ...app })],
    pod: pod("p", { ...app, spec: spread(1, "zone") }),
    is: "b",
  },
  {
    what: "spread that cannot be, and a node without the label",
    nodes: [zone("a", "1"), zone("b", "2", { unschedulable: true }), node("c")],
    pods: [pod("1", { on: "a", ...app })],
    pod: pod("p", { ...app, spec: spread(1, "zone") }),
    is:
      "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, " +
      "1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable.",
  },
  {
    what: "nodes that it may not go to do not count in its spread, unless it says so",
    nodes: [zone("a", "1", { labels: { zone: "1", disk: "ssd" } }), zone("b", "2")],
    pods: [pod("1", { on: "a", ...app })],
    pod: pod("p", { ...app, spec: { ...spread(1, "zone"), nodeSelector: { disk: "ssd" } } }),
    is: "a",
  },
  {
    what: "at least so many domains",
    nodes: [zone("a", "1")],
    pods: [pod("1", { on: "a", ...app })],
    pod: pod("p", { ...app, spec: spread(1, "zone", { minDomains: 2 }) }),
    is: "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.",
  },
  {
    what: "pods that are about to go do not count",
    nodes: [zone("a", "1"), zone("b", "2")],
    pods: [
      pod("1", { on: "a", ...app, metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      pod("2", { on: "b", ...app }),
    ],
    pod: pod("p", { ...app, spec: spread(1, "zone") }),
    is: "a",
  },
];

describe("where a pod may go", () => {
  for (const one of cases) {
    test(one.what, () => assert.equal(decide(clusterOf(one.nodes, one.pods), one.pod), one.is));
  }
});

const preferred = (weight: number, key: string): JsonObject => ({
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight, preference: { matchExpressions: [{ key, operator: "Exists" }] } },
      ],
    },
  },
});

describe("where a pod goes when several would do", () => {
  const better: readonly Case[] = [
    {
      what: "the emptier one",
      nodes: [node("a"), node("b"), node("c")],
      pods: [pod("1", { on: "a", cpu: "1", memory: "2Gi" }), pod("2", { on: "c", cpu: "1", memory: "2Gi" })],
      pod: pod("p", { cpu: "500m", memory: "1Gi" }),
      is: "b",
    },
    {
      what: "the preferred one",
      nodes: [node("a"), node("b", { labels: { ssd: "" } })],
      pods: [pod("1", { on: "b", cpu: "500m" })],
      pod: pod("p", { spec: preferred(100, "ssd") }),
      is: "b",
    },
    {
      what: "not one whose taint says better not",
      nodes: [node("a", { taints: [{ key: "k", effect: "PreferNoSchedule" }] }), node("b")],
      pods: [pod("1", { on: "b", cpu: "1" })],
      pod: pod("p"),
      is: "b",
    },
    {
      what: "where its image is",
      nodes: [
        node("a"),
        node("b", { images: [{ names: ["registry/web:latest"], sizeBytes: 900_000_000 }] }),
        node("c"),
      ],
      pod: pod("p", { container: { image: "registry/web" } }),
      is: "b",
    },
    {
      what: "where few of its like are, when it would rather be spread",
      nodes: [zone("a", "1"), zone("b", "2")],
      pods: [pod("1", { on: "a", ...app }), pod("2", { on: "a", ...app }), pod("3", { on: "b", ...app, cpu: "1" })],
      pod: pod("p", { ...app, spec: spread(1, "zone", { whenUnsatisfiable: "ScheduleAnyway" }) }),
      is: "b",
    },
    {
      what: "near to whom it likes",
      nodes: [zone("a", "1"), zone("b", "2")],
      pods: [pod("1", { on: "b", ...app, cpu: "1" })],
      pod: pod("p", {
        spec: {
          affinity: {
            podAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 50, podAffinityTerm: { labelSelector: web, topologyKey: "zone" } },
              ],
            },
          },
        },
      }),
      is: "b",
    },
    {
      what: "away from those who would rather be alone",
      nodes: [zone("a", "1"), zone("b", "2")],
      pods: [
        pod("1", {
          on: "a",
          spec: {
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  { weight: 50, podAffinityTerm: { labelSelector: web, topologyKey: "zone" } },
                ],
              },
            },
          },
        }),
        pod("2", { on: "b", cpu: "1" }),
      ],
      pod: pod("p", app),
      is: "b",
    },
  ];
  for (const one of better) {
    test(one.what, () => assert.equal(decide(clusterOf(one.nodes, one.pods), one.pod), one.is));
  }
});
