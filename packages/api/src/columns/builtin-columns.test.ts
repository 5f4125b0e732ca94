import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Json, JsonObject } from "../object/json.ts";
import type { KubeObject } from "../object/kube-object.ts";

/** What is shown of an object, by column; columns that are shown with `-o wide` alone are marked. */
function shown(resource: string, object: JsonObject): Record<string, Json> {
  const kind = builtinKinds().find((one) => one.resource === resource && one.group !== "events.k8s.io");
  const whole = { metadata: { name: "x", ...(object["metadata"] as JsonObject | undefined) } };
  const made = { ...object, ...whole } as unknown as KubeObject;
  const cells = kind?.columns.map((one) => [one.priority === 0 ? one.name : `${one.name}*`, one.cell(made, 0)]);
  return Object.fromEntries(cells ?? []);
}

const NONE = "<none>";
const cases: readonly (readonly [resource: string, object: JsonObject, cells: JsonObject])[] = [
  [
    "ipaddresses",
    { spec: { parentRef: { group: "Ex.com", resource: "services", namespace: "n", name: "s" } } },
    { ParentRef: "services.ex.com/n/s", Age: "missing" },
  ],
  ["ipaddresses", { spec: {} }, { ParentRef: NONE }],
  ["servicecidrs", { spec: { cidrs: ["10.0.0.0/24", "fd00::/64"] } }, { CIDRs: "10.0.0.0/24,fd00::/64" }],
  [
    "certificatesigningrequests",
    {
      spec: { expirationSeconds: 3600 },
      status: { certificate: "x", conditions: [{ type: "Failed" }, { type: "Approved" }] },
    },
    { SignerName: NONE, RequestedDuration: "60m", Condition: "Approved,Failed,Issued" },
  ],
  [
    "validatingadmissionpolicybindings",
    { spec: { policyName: "p", paramRef: { selector: { matchLabels: { b: "2", a: "1" } } } } },
    {
      PolicyName: "p",
      ParamRef:
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{},}",
    },
  ],
  ["mutatingadmissionpolicybindings", { spec: { paramRef: { name: "q", namespace: "n" } } }, { ParamRef: "n/q" }],
  ["mutatingadmissionpolicies", { spec: { mutations: [{}, {}] } }, { Mutations: 2, ParamKind: "<unset>" }],
  [
    "flowschemas",
    { spec: { matchingPrecedence: 7, priorityLevelConfiguration: { name: "l" } } },
    { PriorityLevel: "l", MatchingPrecedence: 7, DistinguisherMethod: NONE, MissingPL: "?" },
  ],
  [
    "prioritylevelconfigurations",
    { spec: { type: "Limited", limited: { nominalConcurrencyShares: 5, limitResponse: { type: "Reject" } } } },
    { Type: "Limited", NominalConcurrencyShares: 5, Queues: NONE, HandSize: NONE, QueueLengthLimit: NONE },
  ],
  ["volumeattributesclasses", { driverName: "d" }, { DriverName: "d" }],
  ["csistoragecapacities", { storageClassName: "s" }, { StorageClassName: "s", Capacity: "<unset>", Age: "missing" }],
  ["resourceclaims", { status: { allocation: {}, reservedFor: [{}] } }, { State: "allocated,reserved" }],
  ["resourceclaims", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }, { State: "deleted" }],
  ["resourceslices", { spec: { driver: "d", pool: { name: "p" } } }, { Node: "", Driver: "d", Pool: "p" }],
  ["csidrivers", { spec: {} }, { AttachRequired: true, PodInfoOnMount: false, Modes: NONE }],
  [
    "nodes",
    {
      metadata: {
        labels: { "node-role.kubernetes.io/b": "", "kubernetes.io/role": "a", "node-role.kubernetes.io/": "" },
      },
      status: { nodeInfo: { kernelVersion: "6.1", architecture: "amd64" } },
    },
    { Roles: "a,b", "Kernel-Version*": "6.1 (amd64)" },
  ],
  [
    "persistentvolumeclaims",
    { status: { phase: "Pending", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] } },
    { Capacity: "", "Access Modes": "" },
  ],
  [
    "persistentvolumes",
    { spec: { accessModes: ["ReadWriteMany", "ReadWriteOnce", "ReadWriteMany"], storageClassName: "s" } },
    { Capacity: "0", "Access Modes": "RWO,RWX", StorageClass: "s" },
  ],
  [
    "cronjobs",
    { spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: "c", image: "i" }] } } } } } },
    { Suspend: "<unset>", "Containers*": "c", "Images*": "i", "Selector*": NONE },
  ],
  [
    "controllerrevisions",
    { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", controller: true }] } },
    { Controller: "pod/p" },
  ],
  [
    "events",
    {
      eventTime: "1969-12-31T23:50:00Z",
      series: { count: 4, lastObservedTime: "1969-12-31T23:59:50Z" },
      reportingComponent: "c",
      reportingInstance: "i",
      involvedObject: { kind: "Node" },
    },
    { "Last Seen": "10s", "First Seen*": "10m", "Count*": 4, "Source*": "c, i", Object: "node" },
  ],
  ["ingresses", { metadata: { annotations: { "kubernetes.io/ingress.class": "old" } }, spec: {} }, { Class: NONE }],
  [
    "ingressclasses",
    { metadata: { annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } } },
    { Name: "x (default)" },
  ],
  ["endpointslices", { ports: [{ name: "web" }, {}] }, { Ports: "web,*", Endpoints: "<unset>" }],
  [
    "endpoints",
    { subsets: [{ addresses: [{ ip: "fd00::1" }], ports: [{ port: 80 }] }] },
    { Endpoints: "[fd00::1]:80" },
  ],
];

test("columns of built-in kinds are upstream's", () => {
  for (const [resource, object, wanted] of cases) {
    const cells = shown(resource, object);
    for (const [name, cell] of Object.entries(wanted))
      assert.deepEqual(name in cells ? cells[name] : "missing", cell, `${resource} ${name}`);
  }
});
