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
