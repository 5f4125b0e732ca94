import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../object/json.ts";
import { problemsOf, warningsOf } from "../../testing/problems-of.ts";

const LABELS = { app: "a" };
const POD: JsonObject = { containers: [{ name: "c", image: "i" }] };
const template = (pod: JsonObject = {}, metadata: JsonObject = { labels: LABELS }): JsonObject => ({
  metadata,
  spec: { ...POD, ...pod },
});
const workload = (spec: JsonObject = {}): JsonObject => ({
  spec: { selector: { matchLabels: LABELS }, template: template(), ...spec },
});
const wrong = (resource: string, spec: JsonObject, old?: JsonObject): readonly string[] =>
  problemsOf(resource, workload(spec), old === undefined ? undefined : workload(old));
const statusOf = (resource: string, status: JsonObject, old: JsonObject = {}): readonly string[] =>
  problemsOf(resource, { ...workload(), status }, { ...workload(), status: old }, "status");

const SELECTED = ["daemonsets", "deployments", "replicasets", "statefulsets"];
const OWNERS: Readonly<Record<string, string>> = {
  daemonsets: "daemonset",
  deployments: "deployment",
  replicasets: "deployment",
  statefulsets: "statefulset",
};
const TITLES: Readonly<Record<string, string>> = {
  daemonsets: "DaemonSet",
  deployments: "ReplicaSet",
  replicasets: "ReplicaSet",
  replicationcontrollers: "ReplicationController",
  statefulsets: "StatefulSet",
};
const MISMATCH = (labels: Json): string =>
  `spec.template.metadata.labels: Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;

for (const resource of SELECTED) {
  test(`${resource} that say little are taken, and select the pods of their template`, () => {
    assert.deepEqual(wrong(resource, {}), []);
    const required = resource === "daemonsets" ? [] : ["spec.selector: Required value"];
    assert.deepEqual(problemsOf(resource, { spec: { template: template() } }), [...required, MISMATCH(LABELS)]);
    assert.deepEqual(wrong(resource, { selector: {} }), [
      `spec.selector: Invalid value: {}: empty selector is invalid for ${OWNERS[resource]}`,
    ]);
    assert.deepEqual(wrong(resource, { template: template({}, { labels: { app: "b" } }) }), [MISMATCH({ app: "b" })]);
    assert.deepEqual(wrong(resource, { template: template({}, {}) }), [MISMATCH(null)]);
    const some = { matchExpressions: [{ key: "app", operator: "In", values: ["a", "b"] }] };
    assert.deepEqual(wrong(resource, { selector: some }), []);
    const selector = { matchExpressions: [{ key: "app", operator: "Near" }] };
    const unknown = 'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator';
    const shown = `spec.selector: Invalid value: ${JSON.stringify(selector)}: ${resource === "statefulsets" ? "" : "invalid label selector"}`;
    assert.deepEqual(wrong(resource, { selector }), resource === "daemonsets" ? [unknown] : [unknown, shown]);
  });

  test(`the selector of ${resource} stays`, () => {
    const labels = { app: "a", more: "b" };
    const changed = { selector: { matchLabels: labels }, template: template({}, { labels }) };
    const why =
      resource === "statefulsets"
        ? "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        : `spec.selector: Invalid value: {"matchLabels":{"app":"a","more":"b"}}: field is immutable`;
    assert.deepEqual(wrong(resource, changed, {}), [why]);
    assert.deepEqual(wrong(resource, { ...changed, minReadySeconds: -1 }, {}), [
      "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
      why,
    ]);
  });
}

for (const [resource, title] of Object.entries(TITLES)) {
  test(`pods of ${resource} go on for ever`, () => {
    const pod = { restartPolicy: "Never", activeDeadlineSeconds: 5 };
    const spec = { selector: resource === "replicationcontrollers" ? LABELS : { matchLabels: LABELS } };
    assert.deepEqual(problemsOf(resource, { spec: { ...spec, template: template(pod) } }), [
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      `spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ${title} is not Supported`,
    ]);
    const metadata = { labels: { ...LABELS, "a b": "c" }, annotations: { "a/b/c": "d" } };
    const fields = problemsOf(resource, { spec: { ...spec, template: template({}, metadata) } });
    assert.deepEqual(
      // Labels of a replication controller are its template's where it has none.
      fields.map((line) => line.split(":")[0]).filter((field) => field !== "metadata.labels"),
      ["spec.template.labels", "spec.template.annotations"],
    );
    assert.deepEqual(problemsOf(resource, { spec: { ...spec, template: { metadata: { labels: LABELS } } } }), [
      "spec.template.spec.containers: Required value",
    ]);
  });
}

test("a deployment's strategy and times go together", () => {
  const cases: readonly (readonly [JsonObject, readonly string[]])[] = [
    [{ strategy: { type: "Recreate" } }, []],
    [
      { strategy: { type: "Recreate", rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      { strategy: { type: "Roll", rollingUpdate: { maxSurge: 1 } } },
      [
        'spec.strategy: Unsupported value: {"Type":"Roll","RollingUpdate":{"MaxUnavailable":null,"MaxSurge":1}}: supported values: "Recreate", "RollingUpdate"',
      ],
    ],
    [
      { strategy: { rollingUpdate: { maxSurge: "0%", maxUnavailable: 0 } } },
      ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
    ],
    [
      { strategy: { rollingUpdate: { maxSurge: "200%", maxUnavailable: "101%" } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ],
    [
      { strategy: { rollingUpdate: { maxSurge: "x" } } },
      [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
    [
      { progressDeadlineSeconds: 5, minReadySeconds: 5 },
      ["spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"],
    ],
    [
      { replicas: -1, revisionHistoryLimit: -2 },
      [
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        "spec.revisionHistoryLimit: Invalid value: -2: must be greater than or equal to 0",
      ],
    ],
  ];
  for (const [spec, want] of cases) assert.deepEqual(wrong("deployments", spec), want, JSON.stringify(spec));
});

test("a daemon set's update has either pods less or pods more", () => {
  const at = (rollingUpdate: JsonObject) => wrong("daemonsets", { updateStrategy: { rollingUpdate } });
  const field = "spec.updateStrategy.rollingUpdate";
  assert.deepEqual(at({ maxUnavailable: 0, maxSurge: "10%" }), []);
  assert.deepEqual(at({ maxUnavailable: "10%", maxSurge: 1 }), [
    `${field}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero`,
  ]);
  assert.deepEqual(at({ maxUnavailable: "0%" }), [
    `${field}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
  ]);
  assert.deepEqual(at({ maxUnavailable: 0, maxSurge: "150%" }), [
    `${field}.maxSurge: Invalid value: "150%": must not be greater than 100%`,
  ]);
  assert.deepEqual(wrong("daemonsets", { updateStrategy: { type: "Never" } }), [
    'spec.updateStrategy: Unsupported value: {"Type":"Never","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
  ]);
});

test("a stateful set says how its pods come, go and keep their claims", () => {
  const cases: readonly (readonly [JsonObject, readonly string[]])[] = [
    [{ serviceName: "db", updateStrategy: { rollingUpdate: { partition: 1, maxUnavailable: "50%" } } }, []],
    [
      { podManagementPolicy: "Random" },
      ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
    ],
    [
      { updateStrategy: { type: "Often" } },
      [
        `spec.updateStrategy: Invalid value: {"Type":"Often","RollingUpdate":null}: must be 'RollingUpdate' or 'OnDelete'`,
      ],
    ],
    [
      { updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 2 } } },
      [
        `spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":2,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate'`,
      ],
    ],
    [
      { updateStrategy: { rollingUpdate: { partition: -1, maxUnavailable: 0 } } },
      [
        "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
      ],
    ],
    [
      { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Keep", whenScaled: "Delete" } },
      [
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"',
      ],
    ],
    [{ ordinals: { start: -1 } }, ["spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"]],
    [{ serviceName: "a.b" }, ['spec.serviceName: Invalid value: "a.b": must not contain dots']],
    [
      { volumeClaimTemplates: [{ metadata: { name: "d" }, spec: { resources: { requests: { storage: "1Gi" } } } }] },
      ["spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required"],
    ],
    // The controller gives these to its pods.
    [{ template: template({ hostname: "A B", subdomain: "C D" }) }, []],
  ];
  for (const [spec, want] of cases) assert.deepEqual(wrong("statefulsets", spec), want, JSON.stringify(spec));
  assert.deepEqual(problemsOf("statefulsets", { metadata: { name: "a.b" }, ...workload() }), [
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);
});

test("volumes of a stateful set come after its claims, and its containers mount both", () => {
  const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: claim }];
  const mounting = (name: string, volumes: Json[]): readonly string[] => {
    const containers = [{ name: "c", image: "i", volumeMounts: [{ name, mountPath: "/d" }] }];
    const found = wrong("statefulsets", { volumeClaimTemplates, template: template({ containers, volumes }) });
    return found.map((line) => line.split(":")[0] ?? "");
  };
  assert.deepEqual(mounting("data", []), []);
  assert.deepEqual(mounting("other", []), ["spec.template.spec.containers[0].volumeMounts[0].name"]);
  const replaced = { name: "data", hostPath: { path: "" } };
  assert.deepEqual(mounting("data", [replaced, { name: "B" }]), ["spec.template.spec.volumes[1].name"]);
});

test("what was wrong with a stateful set before may stay so, and be wrong otherwise", () => {
  const bad = (name: string) => template({ containers: [{ name, image: "i" }] });
  assert.deepEqual(
    wrong("statefulsets", { serviceName: "A", template: bad("B") }, { serviceName: "A", template: bad("A") }),
    [],
  );
  assert.equal(wrong("statefulsets", { template: bad("B") }, {}).length, 1);
  assert.deepEqual(
    problemsOf(
      "statefulsets",
      { metadata: { name: "a.b" }, ...workload() },
      { metadata: { name: "a.b" }, ...workload() },
    ),
    [],
  );
});

test("a replication controller has a template, and selects by its labels", () => {
  assert.deepEqual(problemsOf("replicationcontrollers", { spec: { template: template() } }), []);
  assert.deepEqual(problemsOf("replicationcontrollers", { spec: { replicas: -1 } }), [
    "spec.selector: Required value",
    "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    "spec.template: Required value",
  ]);
  const selector = { app: "b" };
  assert.deepEqual(problemsOf("replicationcontrollers", { spec: { selector, template: template() } }), [
    MISMATCH(LABELS),
  ]);
  const old = {
    metadata: {
      annotations: { "non-convertible.kubernetes.io/selector": "x", "non-convertible.kubernetes.io/y": "z" },
    },
    spec: { selector: LABELS, template: template() },
  };
  const labels = { ...LABELS, b: "c" };
  const changed = { ...old, spec: { selector: labels, template: template({}, { labels }) } };
  assert.deepEqual(problemsOf("replicationcontrollers", changed, old), [
    'spec.selector: Invalid value: {"app":"a","b":"c"}: cannot update non-convertible selector',
    'y: Not found: "z": unknown non-convertible field',
  ]);
});

test("numbers of a status go together", () => {
  const more = (field: string, value = 2): string =>
    `status.${field}: Invalid value: ${value}: cannot be greater than status.replicas`;
  const readier = (of: string): string => `status.availableReplicas: Invalid value: 2: cannot be greater than ${of}`;
  const counts = { replicas: 1, readyReplicas: 1, availableReplicas: 2 };
  assert.deepEqual(statusOf("deployments", { ...counts, updatedReplicas: 2 }), [
    more("updatedReplicas"),
    more("availableReplicas"),
    readier("readyReplicas"),
  ]);
  for (const resource of ["replicasets", "replicationcontrollers"]) {
    assert.deepEqual(statusOf(resource, { ...counts, fullyLabeledReplicas: 2 }), [
      more("fullyLabeledReplicas"),
      more("availableReplicas"),
      readier("readyReplicas"),
    ]);
  }
  assert.deepEqual(statusOf("statefulsets", { ...counts, currentReplicas: 3 }), [
    more("currentReplicas", 3),
    more("availableReplicas"),
    readier("status.readyReplicas"),
  ]);
  assert.deepEqual(statusOf("daemonsets", { currentNumberScheduled: -1, numberReady: 7 }), [
    "status.currentNumberScheduled: Invalid value: -1: must be greater than or equal to 0",
  ]);
  for (const resource of ["daemonsets", "deployments", "statefulsets"]) {
    assert.deepEqual(statusOf(resource, { collisionCount: 1 }, { collisionCount: 2 }), [
      "status.collisionCount: Invalid value: 1: cannot be decremented",
    ]);
    assert.deepEqual(statusOf(resource, {}, { collisionCount: 0 }), [
      "status.collisionCount: Invalid value: 0: cannot be decremented",
    ]);
  }
});

test("writers are warned of names, templates, claims and revisions without end", () => {
  const grace = workload({ template: template({ terminationGracePeriodSeconds: -1 }) });
  const negative =
    "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1";
  const name =
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]";
  for (const resource of ["deployments", "replicasets", "replicationcontrollers"]) {
    const dotted = (generation: number): JsonObject => ({ ...grace, metadata: { name: "a.b", generation } });
    assert.deepEqual(warningsOf(resource, dotted(1)), [name, negative]);
    assert.deepEqual(warningsOf(resource, dotted(2), dotted(1)), [negative]);
    assert.deepEqual(warningsOf(resource, dotted(1), dotted(1)), []);
  }
  assert.deepEqual(warningsOf("daemonsets", grace), [negative]);
  assert.deepEqual(warningsOf("daemonsets", { ...grace, metadata: { generation: 2 } }, grace), []);
  const claims = [{ metadata: { name: "d" }, spec: { resources: { requests: { storage: "1500m" } } } }];
  const kept = workload({ revisionHistoryLimit: -1, volumeClaimTemplates: claims });
  const endless =
    "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended";
  const fraction = (at: string): string =>
    `spec.volumeClaimTemplates[0]${at}.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer`;
  assert.deepEqual(warningsOf("statefulsets", kept), [fraction(""), endless]);
  assert.deepEqual(warningsOf("statefulsets", kept, kept), [fraction(".Spec"), endless]);
});
