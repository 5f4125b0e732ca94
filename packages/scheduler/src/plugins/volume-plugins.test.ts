import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { podInfoOf } from "../pod/pod-info.ts";
import { clusterOf, decide, node, pod } from "../testing/objects.ts";
import { planVolumes } from "../volumes/plan-volumes.ts";

interface ClaimParts {
  readonly volume?: string;
  readonly class?: string;
  readonly size?: string;
  readonly mode?: string;
  readonly metadata?: JsonObject;
  readonly phase?: string;
}

function claim(name: string, parts: ClaimParts = {}): KubeObject {
  const { volume, class: storageClassName = "waits", size = "1Gi", mode = "ReadWriteOnce", metadata = {} } = parts;
  const annotations: Record<string, string> = volume === undefined ? {} : { "pv.kubernetes.io/bind-completed": "yes" };
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "default", uid: `uid-of-${name}`, annotations, ...metadata },
    spec: {
      storageClassName,
      accessModes: [mode],
      resources: { requests: { storage: size } },
      ...(volume === undefined ? {} : { volumeName: volume }),
    },
    status: { phase: parts.phase ?? (volume === undefined ? "Pending" : "Bound") },
  };
}

function volumeOn(name: string, on: string | undefined, spec: JsonObject = {}, labels = {}): KubeObject {
  const values = on === undefined ? [] : [on];
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values }];
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, labels },
    spec: {
      storageClassName: "waits",
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      ...(on === undefined ? {} : { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } } }),
      ...spec,
    },
  };
}

const storageClass = (name: string, volumeBindingMode: string, more: JsonObject = {}): KubeObject => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name },
  provisioner: "kubernetes.io/no-provisioner",
  volumeBindingMode,
  ...more,
});

const mounts = (...names: readonly string[]): JsonObject => ({
  volumes: names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
});

const limit = (name: string, driver: string, count: number): KubeObject => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "CSINode",
  metadata: { name },
  spec: { drivers: [{ name: driver, nodeID: name, allocatable: { count } }] },
});

const csi = (volumeHandle: string): JsonObject => ({ csi: { driver: "disks", volumeHandle } });

interface Case {
  readonly what: string;
  readonly nodes?: readonly KubeObject[];
  readonly pods?: readonly KubeObject[];
  readonly claims?: readonly KubeObject[];
  readonly volumes?: readonly KubeObject[];
  readonly limits?: readonly KubeObject[];
  readonly pod?: KubeObject;
  readonly is: string;
}

const two = [node("a"), node("b")];
const none = (why: string): string => `0/2 nodes are available: ${why}.`;
const plain = pod("p", { spec: mounts("data") });

const cases: readonly Case[] = [
  { what: "a claim that is not there", is: none('persistentvolumeclaim "data" not found') },
  {
    what: "a claim that goes",
    claims: [claim("data", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })],
    is: none('persistentvolumeclaim "data" is being deleted'),
  },
  {
    what: "a claim whose volume was lost",
    claims: [claim("data", { volume: "gone", phase: "Lost" })],
    is: none('persistentvolumeclaim "data" bound to non-existent persistentvolume "gone"'),
  },
  {
    what: "a volume that is not there yet",
    claims: [claim("data", { volume: "unseen" })],
    is: none("2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
  },
  {
    what: "a claim that has to be bound before",
    claims: [claim("data", { class: "at once" })],
    is: none("pod has unbound immediate PersistentVolumeClaims"),
  },
  {
    what: "an ephemeral volume whose claim is another's",
    claims: [claim("p-scratch")],
    pod: pod("p", { spec: { volumes: [{ name: "scratch", ephemeral: {} }] } }),
    is: none("PVC default/p-scratch was not created for pod default/p (pod is not owner)"),
  },
  {
    what: "where its volume is",
    claims: [claim("data", { volume: "v" })],
    volumes: [volumeOn("v", "b")],
    is: "b",
  },
  {
    what: "its volume is nowhere",
    claims: [claim("data", { volume: "v" })],
    volumes: [volumeOn("v", "c")],
    is: none("2 node(s) had volume node affinity conflict"),
  },
  {
    what: "where a free volume is",
    claims: [claim("data")],
    volumes: [volumeOn("taken", "a", { claimRef: { namespace: "default", name: "other" } }), volumeOn("v", "b")],
    is: "b",
  },
  {
    what: "no volume is large enough, of its class, of its mode",
    claims: [claim("data", { size: "2Gi" })],
    volumes: [
      volumeOn("small", "a"),
      volumeOn("other class", "a", { storageClassName: "x", capacity: { storage: "9Gi" } }),
      volumeOn("read only", "b", { accessModes: ["ReadOnlyMany"], capacity: { storage: "9Gi" } }),
    ],
    is: none("2 node(s) didn't find available persistent volumes to bind"),
  },
  {
    what: "two claims need two volumes",
    claims: [claim("data"), claim("logs")],
    volumes: [volumeOn("1", "a"), volumeOn("2", "b"), volumeOn("3", "b")],
    pod: pod("p", { spec: mounts("data", "logs") }),
    is: "b",
  },
  {
    what: "where one can be made",
    nodes: [node("a", { labels: { zone: "1" } }), node("b", { labels: { zone: "2" } })],
    claims: [claim("data", { class: "made" })],
    is: "b",
  },
  {
    what: "in the zone of its volume, which says it by a label",
    nodes: [
      node("a", { labels: { "topology.kubernetes.io/zone": "1" } }),
      node("b", { labels: { "topology.kubernetes.io/zone": "2" } }),
    ],
    claims: [claim("data", { volume: "v" })],
    volumes: [volumeOn("v", undefined, {}, { "topology.kubernetes.io/zone": "2__3" })],
    is: "b",
  },
  {
    what: "a volume for one pod that has one",
    claims: [claim("data", { volume: "v", mode: "ReadWriteOncePod" })],
    volumes: [volumeOn("v", undefined)],
    pods: [pod("1", { on: "a", spec: mounts("data") })],
    is: none("2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"),
  },
  {
    what: "as many volumes as a node can have; the same one twice is one",
    claims: [claim("data", { volume: "v" }), claim("full", { volume: "w" })],
    volumes: [volumeOn("v", undefined, csi("1")), volumeOn("w", undefined, csi("2"))],
    pods: [pod("1", { on: "a", spec: mounts("full") }), pod("2", { on: "b", spec: mounts("data"), cpu: "3" })],
    limits: [limit("a", "disks", 1), limit("b", "disks", 1)],
    is: "b",
  },
];

function prepare({ nodes = two, pods = [], claims = [], volumes = [], limits = [] }: Omit<Case, "what" | "is">) {
  const cluster = clusterOf(nodes, pods);
  const zone = { matchLabelExpressions: [{ key: "zone", values: ["2"] }] };
  cluster.volumes.setClass(storageClass("waits", "WaitForFirstConsumer"));
  cluster.volumes.setClass(storageClass("at once", "Immediate"));
  const made = { provisioner: "disks", allowedTopologies: [zone] };
  cluster.volumes.setClass(storageClass("made", "WaitForFirstConsumer", made));
  for (const one of claims) cluster.volumes.setClaim(one);
  for (const one of volumes) cluster.volumes.setVolume(one);
  for (const one of limits) cluster.volumes.setDrivers(one);
  return cluster;
}

describe("where a pod with volumes may go", () => {
  for (const one of cases) {
    test(one.what, () => assert.equal(decide(prepare(one), one.pod ?? plain), one.is));
  }

  test("the smallest free volume is taken, and what is promised to one claim is not to another", () => {
    const cluster = prepare({
      claims: [claim("data"), claim("logs")],
      volumes: [volumeOn("large", "a", { capacity: { storage: "5Gi" } }), volumeOn("small", "a")],
    });
    const [first] = cluster.nodes;
    assert.ok(first);
    const plan = (name: string): string[] => {
      const plans = planVolumes(podInfoOf(pod(name, { spec: mounts(name) })), first, cluster);
      cluster.volumes.promise(plans);
      return plans.map((one) => one.volume?.metadata.name ?? "");
    };
    assert.deepEqual([plan("data"), plan("data"), plan("logs")], [["small"], ["small"], ["large"]]);
  });
});
