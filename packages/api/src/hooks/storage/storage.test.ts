import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { problemsOf, warningsOf } from "../../testing/problems-of.ts";

test("a storage class says who provisions, and keeps nearly all that it says", () => {
  const good = { provisioner: "a.io/b", parameters: { a: "b" } };
  assert.deepEqual(problemsOf("storageclasses", good), []);
  const term = (...values: string[]): JsonObject => ({ matchLabelExpressions: [{ key: "zone", values }] });
  const wrong = {
    provisioner: "",
    reclaimPolicy: "Recycle",
    volumeBindingMode: "Later",
    allowedTopologies: [term("a", "b"), term("b", "a"), term(), term("c", "c")],
  };
  assert.deepEqual(problemsOf("storageclasses", wrong), [
    "provisioner: Required value",
    'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
    'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
    'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
    "allowedTopologies[2].matchLabelExpressions[0].values: Required value",
    'allowedTopologies[3].matchLabelExpressions[0].values[1]: Duplicate value: "c"',
  ]);
  const changed = { provisioner: "c.io/d", reclaimPolicy: "Retain", allowVolumeExpansion: true };
  assert.deepEqual(problemsOf("storageclasses", changed, good), [
    "parameters: Invalid value: null: field is immutable",
    'provisioner: Invalid value: "c.io/d": field is immutable',
    'reclaimPolicy: Invalid value: "Retain": field is immutable',
  ]);
  const key = "failure-domain.beta.kubernetes.io/zone";
  const old = { ...good, allowedTopologies: [{ matchLabelExpressions: [{ key, values: ["z"] }] }] };
  assert.deepEqual(warningsOf("storageclasses", old), [
    'allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  ]);
});

test("a volume attributes class has parameters, and never others", () => {
  const good = { driverName: "a.io", parameters: { a: "b" } };
  assert.deepEqual(problemsOf("volumeattributesclasses", good), []);
  assert.deepEqual(problemsOf("volumeattributesclasses", { driverName: "a.io" }, good), [
    "parameters: Forbidden: updates to parameters are forbidden.",
    "parameters: Required value: must contain at least one key/value pair",
  ]);
});

test("a CSI driver has modes and tokens that can be, and keeps how it is attached", () => {
  assert.deepEqual(problemsOf("csidrivers", { spec: {} }), []);
  const tokenRequests = [{ audience: "a", expirationSeconds: 1 }, { audience: "a" }];
  const spec = {
    fsGroupPolicy: "All",
    tokenRequests,
    volumeLifecycleModes: ["Often"],
    nodeAllocatableUpdatePeriodSeconds: 9,
  };
  assert.deepEqual(problemsOf("csidrivers", { spec }), [
    'spec.fsGroupPolicy: Unsupported value: "All": supported values: "File", "None", "ReadWriteOnceWithFSType"',
    "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
    'spec.tokenRequests[1].audience: Duplicate value: "a"',
    'spec.volumeLifecycleModes: Unsupported value: "Often": supported values: "Persistent", "Ephemeral"',
    "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds",
  ]);
  assert.deepEqual(problemsOf("csidrivers", { spec: { attachRequired: false } }, { spec: {} }), [
    "spec.attachedRequired: Invalid value: false: field is immutable",
  ]);
  assert.equal(warningsOf("csidrivers", { spec }).length, 1);
  assert.equal(warningsOf("csidrivers", { spec }, { spec }).length, 0);
});

test("a node's drivers are there once, and say the same but for how many volumes they attach", () => {
  const of = (...drivers: JsonObject[]): JsonObject => ({ spec: { drivers } });
  const driver = { name: "d.io", nodeID: "n", topologyKeys: ["a"] };
  assert.deepEqual(problemsOf("csinodes", of({ ...driver, allocatable: { count: 2 } }), of(driver)), []);
  assert.deepEqual(problemsOf("csinodes", of(driver, { ...driver, nodeID: "", topologyKeys: ["b", "b"] })), [
    "spec.drivers[1].nodeID: Required value",
    'spec.drivers[1].name: Duplicate value: "d.io"',
    'spec.drivers[1]: Duplicate value: "b"',
  ]);
  assert.deepEqual(problemsOf("csinodes", of({ ...driver, nodeID: "m" }), of(driver)), [
    'spec.drivers: Invalid value: {"name":"d.io","nodeID":"m","topologyKeys":["a"]}: field is immutable',
  ]);
});

test("a capacity is of one class and one place", () => {
  const good = { storageClassName: "c", capacity: "1Gi", nodeTopology: { matchLabels: { zone: "a" } } };
  assert.deepEqual(problemsOf("csistoragecapacities", good), []);
  assert.deepEqual(problemsOf("csistoragecapacities", { ...good, storageClassName: "d", capacity: "-1Gi" }, good), [
    'capacity: Invalid value: "-1Gi": must be greater than or equal to 0',
    'storageClassName: Invalid value: "d": field is immutable',
  ]);
});

const asked = (storage: string, more: JsonObject = {}): JsonObject => ({
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage } },
  ...more,
});

test("a claim stays as it was made, but for its size and its volume's attributes once it is bound", () => {
  const change = (spec: JsonObject, old: JsonObject, status: JsonObject = { phase: "Bound" }) =>
    problemsOf("persistentvolumeclaims", { spec, status }, { spec: old, status });
  const immutable =
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
  const first = (problems: readonly string[]) => problems.map((line) => line.split("\n")[0]);
  assert.deepEqual(change(asked("2Gi", { volumeAttributesClassName: "fast" }), asked("1Gi")), []);
  assert.deepEqual(change(asked("1024Mi"), asked("1Gi")), []);
  assert.deepEqual(change(asked("2Gi"), asked("1Gi"), { phase: "Pending" }), [
    `${immutable}\n@@ -4,7 +4,7 @@\n  ],\n  "resources": {\n   "requests": {\n-   "storage": "1Gi"\n+   "storage": "2Gi"\n   }\n  },\n  "volumeMode": "Filesystem"\n`,
  ]);
  assert.deepEqual(change(asked("1Gi", { volumeName: "v" }), asked("1Gi"), {}), []);
  assert.deepEqual(first(change(asked("1Gi", { volumeName: "w" }), asked("1Gi", { volumeName: "v" }))), [immutable]);
  assert.deepEqual(change(asked("1Gi", { storageClassName: "c" }), asked("1Gi"), {}), []);
  assert.deepEqual(first(change(asked("1Gi", { storageClassName: "d" }), asked("1Gi", { storageClassName: "c" }))), [
    immutable,
  ]);
  const grown = { phase: "Bound", capacity: { storage: "2Gi" } };
  assert.deepEqual(change(asked("3Gi"), asked("4Gi"), grown), []);
  assert.deepEqual(change(asked("2Gi"), asked("4Gi"), grown), [
    "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
  ]);
  assert.deepEqual(first(change(asked("1Gi", { volumeMode: "Block" }), asked("1Gi"))), [
    immutable,
    'volumeMode: Invalid value: "Block": field is immutable',
  ]);
  const tuned = { phase: "Bound", currentVolumeAttributesClassName: "fast" };
  const fast = asked("1Gi", { volumeAttributesClassName: "fast" });
  const why = "is forbidden when status.currentVolumeAttributesClassName is not nil";
  assert.deepEqual(change(asked("1Gi"), fast, tuned), [
    `spec.volumeAttributesClassName: Forbidden: update to nil ${why}`,
  ]);
  assert.deepEqual(change(asked("1Gi", { volumeAttributesClassName: "" }), fast, tuned), [
    `spec.volumeAttributesClassName: Forbidden: update to empty string ${why}`,
  ]);
});

test("a claim's class may move from its annotation to its field, and not change", () => {
  const key = "volume.beta.kubernetes.io/storage-class";
  const noted = (name: string, spec: JsonObject = {}): JsonObject => ({
    metadata: { annotations: { [key]: name } },
    spec: asked("1Gi", spec),
  });
  const change = (now: JsonObject, old: JsonObject) => problemsOf("persistentvolumeclaims", now, old);
  assert.deepEqual(change(noted("a", { storageClassName: "a" }), noted("a")), []);
  assert.deepEqual(change({ spec: asked("1Gi", { storageClassName: "a" }) }, noted("a")), []);
  assert.deepEqual(change(noted("b"), noted("a")), [
    `metadata.annotations.${key}: Invalid value: "b": field is immutable`,
  ]);
  assert.deepEqual(
    warningsOf("persistentvolumeclaims", noted("a", { resources: { requests: { storage: "1500m" } } })),
    [
      `metadata.annotations[${key}]: deprecated since v1.8; use "storageClassName" attribute instead`,
      'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
    ],
  );
});

test("a claim's status is of what can be stored", () => {
  const status = {
    capacity: { storage: "-1" },
    allocatedResources: { cpu: "1", storage: "-1500m" },
    allocatedResourceStatuses: { storage: "Growing" },
  };
  assert.deepEqual(
    problemsOf("persistentvolumeclaims", { spec: asked("1Gi"), status }, { spec: asked("1Gi") }, "status"),
    [
      "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
      'status.allocatedResourceStatuses: Unsupported value: "storage": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
      'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
      "status.allocatedResources[storage]: Invalid value: -2: must be a valid resource quantity",
    ],
  );
});

test("a volume's nodes get new names, and its writers are warned of what is old", () => {
  const placed = (key: string, value = "a"): JsonObject => ({
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "In", values: [value] }] }] },
  });
  const volume = (nodeAffinity: JsonObject, more: JsonObject = {}): JsonObject => ({
    spec: {
      accessModes: ["ReadWriteOnce"],
      capacity: { storage: "1Gi" },
      nfs: { server: "s", path: "/" },
      nodeAffinity,
      ...more,
    },
  });
  const old = placed("failure-domain.beta.kubernetes.io/zone");
  const change = (now: JsonObject, before: JsonObject) =>
    problemsOf("persistentvolumes", volume(now), volume(before)).map((line) => line.replace(/\{.*\}/, "…"));
  assert.deepEqual(change(placed("topology.kubernetes.io/zone"), old), []);
  const why = "nodeAffinity: Invalid value: …: field is immutable, except for updating from beta label to GA";
  assert.deepEqual(change(placed("topology.kubernetes.io/zone", "b"), old), [why]);
  assert.deepEqual(change(placed("topology.kubernetes.io/region"), old), [why]);
  const odd = volume(old, { persistentVolumeReclaimPolicy: "Recycle" });
  assert.deepEqual(
    warningsOf("persistentvolumes", {
      ...odd,
      metadata: { annotations: { "volume.beta.kubernetes.io/mount-options": "ro" } },
    }).map((line) => line.slice(0, 60)),
    [
      "metadata.annotations[volume.beta.kubernetes.io/mount-options",
      "spec.persistentVolumeReclaimPolicy: The Recycle reclaim poli",
      "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpress",
    ],
  );
});
