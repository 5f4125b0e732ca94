import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json, JsonObject, KubeObject } from "@boxship/api";
import { describeMisfit } from "../cycle/describe-misfit.ts";
import { NodeFinder, scoresOf } from "../cycle/find-node.ts";
import { podInfoOf } from "../pod/pod-info.ts";
import { PromisedPlaces } from "../preemption/promised-places.ts";
import { clusterOf, node, pod } from "../testing/objects.ts";
import { readConfiguration } from "./read-configuration.ts";

const read = (more: JsonObject) =>
  readConfiguration({ apiVersion: "kubescheduler.config.k8s.io/v1", kind: "KubeSchedulerConfiguration", ...more });

const profileOf = (profile: JsonObject) => {
  const [first] = read({ profiles: [profile] }).profiles;
  assert.ok(first);
  return first;
};

/** Where a profile puts a pod, or why nowhere. */
function place(
  profile: JsonObject,
  nodes: readonly KubeObject[],
  one: KubeObject,
  there: readonly KubeObject[] = [],
): string {
  const finder = new NodeFinder(clusterOf(nodes, there), new PromisedPlaces(), () => 0.5);
  const found = finder.find(profileOf(profile), podInfoOf(one));
  return "node" in found ? found.node.name : describeMisfit(found.misfit);
}

const args = (name: string, given: JsonObject): JsonObject => ({ pluginConfig: [{ name, args: given }] });
const empty = node("empty");
const busy = node("busy");
const filler = pod("filler", { cpu: "2", memory: "4Gi", on: "busy" });
const small = (): KubeObject => pod("small", { cpu: "100m", memory: "100Mi" });

describe("a scheduler's configuration", () => {
  test("without anything is upstream's default profile", () => {
    const { profiles, backoff } = read({});
    assert.deepEqual(
      profiles.map(({ schedulerName }) => schedulerName),
      ["default-scheduler"],
    );
    assert.deepEqual(backoff, { first: 1000, most: 10_000 });
    assert.equal(place({}, [empty, busy], small(), [filler]), "empty");
  });

  test("has profiles with names, plugins that are off, weights, and waits", () => {
    const { profiles, backoff } = read({
      podInitialBackoffSeconds: 2,
      podMaxBackoffSeconds: 20,
      profiles: [
        { schedulerName: "one" },
        {
          schedulerName: "two",
          percentageOfNodesToScore: 30,
          plugins: {
            score: { disabled: [{ name: "*" }], enabled: [{ name: "ImageLocality", weight: 7 }] },
            filter: { disabled: [{ name: "NodeUnschedulable" }] },
            postFilter: { disabled: [{ name: "DefaultPreemption" }] },
          },
        },
      ],
    });
    const [usual, two] = profiles;
    assert.deepEqual(backoff, { first: 2000, most: 20_000 });
    assert.equal(usual?.weights["TaintToleration"], 3);
    assert.equal(usual?.preemption?.isOff, false);
    assert.deepEqual(two?.weights, { ImageLocality: 7 });
    assert.deepEqual([two?.preemption?.isOff, two?.nodesToFind?.(1000), two?.nodesToFind?.(50)], [true, 300, 50]);
    assert.ok(!two?.plugins.some((one) => one.name === "NodeUnschedulable" && "filter" in one));
    const cordoned = [node("a", { unschedulable: true })];
    assert.match(place({}, cordoned, small()), /unschedulable/);
    const off = { plugins: { multiPoint: { disabled: [{ name: "NodeUnschedulable" }] } } };
    assert.equal(place(off, cordoned, small()), "a");
    const only = { plugins: { multiPoint: { disabled: [{ name: "*" }], enabled: [{ name: "NodeName" }] } } };
    assert.deepEqual(
      profileOf(only).plugins.map(({ name }) => name),
      ["NodeName"],
    );
  });

  test("says how resources are scored", () => {
    const strategy = (scoringStrategy: JsonObject): JsonObject => ({
      ...args("NodeResourcesFit", { scoringStrategy }),
      plugins: { score: { disabled: [{ name: "*" }], enabled: [{ name: "NodeResourcesFit" }] } },
    });
    const nodes = [empty, busy];
    assert.equal(place(strategy({ type: "LeastAllocated" }), nodes, small(), [filler]), "empty");
    assert.equal(place(strategy({ type: "MostAllocated" }), nodes, small(), [filler]), "busy");
    const shape = [
      { utilization: 0, score: 0 },
      { utilization: 60, score: 10 },
      { utilization: 100, score: 0 },
    ];
    const ratio = strategy({ type: "RequestedToCapacityRatio", requestedToCapacityRatio: { shape } });
    assert.equal(place(ratio, nodes, small(), [filler]), "busy");
    const cluster = clusterOf(nodes, [filler]);
    const scores = scoresOf(
      profileOf(ratio),
      podInfoOf(pod("p", { cpu: "400m", memory: "0" })),
      cluster,
      cluster.nodes,
    );
    // 10 % of the one's processor and no memory; 60 % and 50 % of the other.
    assert.deepEqual([...scores], [8, 91]);
    const gpus = { resources: [{ name: "example.com/gpu", weight: 3 }] };
    const wants = pod("g", { container: { resources: { requests: { "example.com/gpu": "1" } } } });
    const withGpus = [
      node("few", { others: { "example.com/gpu": "2" } }),
      node("many", { others: { "example.com/gpu": "8" } }),
    ];
    assert.equal(place(strategy({ type: "MostAllocated", ...gpus }), withGpus, wants), "few");
    const ignored = args("NodeResourcesFit", { ignoredResources: ["example.com/gpu"] });
    assert.match(place({}, [empty], wants), /Insufficient example.com\/gpu/);
    assert.equal(place(ignored, [empty], wants), "empty");
  });

  test("adds affinity, and spreads what says nothing itself", () => {
    const term = { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] };
    const added = {
      addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
    };
    const nodes = [node("ssd", { labels: { disk: "ssd" } }), node("hdd", { labels: { disk: "hdd" } })];
    assert.equal(place(args("NodeAffinity", added), nodes, small()), "ssd");
    assert.match(place(args("NodeAffinity", added), [node("hdd")], small()), /scheduler-enforced node affinity/);
    const hard = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" };
    const spread = args("PodTopologySpread", { defaultingType: "List", defaultConstraints: [hard] });
    const zoned = [node("a", { labels: { zone: "1" }, cpu: "64" }), node("b", { labels: { zone: "2" }, cpu: "1" })];
    const labels = { app: "web" };
    const cluster = clusterOf(zoned, [pod("w", { labels, on: "a", cpu: "100m" })]);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "default" } };
    const finder = new NodeFinder(cluster, new PromisedPlaces(), () => 0.5);
    const decide = (): string => {
      const found = finder.find(profileOf(spread), podInfoOf(pod("w2", { labels, cpu: "500m" })));
      return "node" in found ? found.node.name : "";
    };
    assert.equal(decide(), "a", "nothing tells that the two are of one sort");
    cluster.owners.set("Service", { ...service, spec: { selector: labels } });
    assert.equal(decide(), "b");
    cluster.owners.remove("Service", { ...service, spec: { selector: labels } });
    assert.equal(decide(), "a");
  });

  test("spreads pods of one set over zones and hosts by itself where nothing else counts", () => {
    const zoned = ["a", "b", "c"].map((name, index) =>
      node(name, { labels: { "topology.kubernetes.io/zone": `${index % 2}` } }),
    );
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "1", controller: true };
    const labels = { app: "web" };
    const one = (name: string, on?: string): KubeObject =>
      pod(name, { labels, metadata: { ownerReferences: [owner] }, ...(on === undefined ? {} : { on }) });
    const cluster = clusterOf(zoned, [one("w1", "a"), one("w2", "a"), one("w3", "c")]);
    cluster.owners.set("ReplicaSet", {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { matchLabels: labels } },
    });
    const profile = profileOf({
      plugins: { score: { disabled: [{ name: "*" }], enabled: [{ name: "PodTopologySpread" }] } },
    });
    const scores = scoresOf(profile, podInfoOf(one("w4")), cluster, cluster.nodes);
    const [a = 0, b = 0, c = 0] = scores;
    assert.ok(b > c && c > a, [...scores].join(" "));
  });

  const bad: readonly (readonly [string, Json, RegExp])[] = [
    [
      "another kind",
      { apiVersion: "v1", kind: "ConfigMap" },
      /^a scheduler's configuration is a KubeSchedulerConfiguration of/,
    ],
    ["no object", [1], /is no object/],
    ["an unknown field", { parallelism: 16 }, /^parallelism is not supported/],
    [
      "an unknown plugin",
      { profiles: [{ plugins: { score: { enabled: [{ name: "Magic" }] } } }] },
      /^profiles\[0\].plugins.score.enabled\[0\].name: there is no plugin "Magic"/,
    ],
    [
      "a plugin that has nothing to do there",
      { profiles: [{ plugins: { filter: { enabled: [{ name: "ImageLocality" }] } } }] },
      /^profiles\[0\].plugins.filter.enabled\[0\]: ImageLocality does nothing at filter/,
    ],
    [
      "a plugin twice",
      { profiles: [{ plugins: { filter: { enabled: [{ name: "NodeName" }, { name: "NodeName" }] } } }] },
      /NodeName is enabled twice/,
    ],
    [
      "an extender of another protocol",
      { extenders: [{ urlPrefix: "ftp://x", filterVerb: "f" }] },
      /no address of HTTP/,
    ],
    [
      "a point that is none here",
      { profiles: [{ plugins: { permit: {} } }] },
      /^profiles\[0\].plugins.permit is not supported/,
    ],
    [
      "a binder that is off",
      { profiles: [{ plugins: { multiPoint: { disabled: [{ name: "DefaultBinder" }] } } }] },
      /DefaultBinder cannot be disabled/,
    ],
    ["two profiles of one name", { profiles: [{}, {}] }, /"default-scheduler" is named twice/],
    [
      "arguments twice",
      { profiles: [{ pluginConfig: [{ name: "NodeAffinity" }, { name: "NodeAffinity" }] }] },
      /given twice/,
    ],
    [
      "arguments of others",
      { profiles: [{ pluginConfig: [{ name: "NodePorts" }] }] },
      /arguments of plugin "NodePorts" are not supported/,
    ],
    ["a share of 101", { percentageOfNodesToScore: 101 }, /^percentageOfNodesToScore: 101 is no number from 0 to 100/],
    ["waits that shrink", { podInitialBackoffSeconds: 5, podMaxBackoffSeconds: 1 }, /^podMaxBackoffSeconds must be/],
    [
      "a curve that goes back",
      {
        profiles: [
          args("NodeResourcesFit", {
            scoringStrategy: {
              type: "RequestedToCapacityRatio",
              requestedToCapacityRatio: {
                shape: [
                  { utilization: 5, score: 1 },
                  { utilization: 5, score: 2 },
                ],
              },
            },
          }),
        ],
      },
      /sorted in increasing order/,
    ],
    [
      "constraints of the system's",
      { profiles: [args("PodTopologySpread", { defaultConstraints: [{}] })] },
      /no constraints are to be given/,
    ],
    [
      "an extender without an address",
      { extenders: [{ filterVerb: "f" }] },
      /^extenders\[0\].urlPrefix: "" is no address/,
    ],
    ["scores without a weight", { extenders: [{ urlPrefix: "x", prioritizeVerb: "p" }] }, /weight is needed/],
    [
      "two that bind",
      { extenders: [1, 2].map((n) => ({ urlPrefix: `x${n}`, bindVerb: "b" })) },
      /only one of them can/,
    ],
    [
      "a resource of the core",
      { extenders: [{ urlPrefix: "x", managedResources: [{ name: "cpu" }] }] },
      /is domain\/name/,
    ],
    [
      "files of an extender",
      { extenders: [{ urlPrefix: "x", tlsConfig: { caFile: "/x" } }] },
      /caFile is not supported/,
    ],
    ["no time", { extenders: [{ urlPrefix: "x", httpTimeout: "soon" }] }, /httpTimeout: "soon" is no time/],
    ["a leader", { leaderElection: { leaderElect: true } }, /nobody elects/],
  ];
  for (const [what, given, words] of bad) {
    test(`is refused with ${what}`, () => {
      const run = (): unknown =>
        what === "another kind" || what === "no object" ? readConfiguration(given) : read(given as JsonObject);
      assert.throws(run, (error: Error) => words.test(error.message) || assert.fail(error.message));
    });
  }
});
