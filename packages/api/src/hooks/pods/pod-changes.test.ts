import assert from "node:assert/strict";
import { test } from "node:test";
import { deepCopy, type JsonObject } from "../../object/json.ts";
import { kindOf, objectOf, problemsOf, warningsOf } from "../../testing/problems-of.ts";
import { quality } from "./quality.ts";

const container = (more: JsonObject = {}, name = "c"): JsonObject => ({ name, image: "i", ...more });
const pod = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  spec: { containers: [container()], ...spec },
  ...more,
});
const changed = (spec: JsonObject, old: JsonObject): readonly string[] => problemsOf("pods", pod(spec), pod(old));
const annotated = (annotations: JsonObject, spec: JsonObject = {}): JsonObject =>
  pod(spec, { metadata: { annotations } });
const fieldsOf = (problems: readonly string[]): readonly string[] => problems.map((line) => line.split(":")[0] ?? "");

const ELSE =
  "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

/** What a pod becomes, what it was, and what is wrong with that. */
const CHANGES: readonly (readonly [JsonObject, JsonObject, readonly string[]])[] = [
  [{ containers: [container({ image: "j" })], activeDeadlineSeconds: 5 }, { activeDeadlineSeconds: 9 }, []],
  [
    { containers: [container(), container({}, "d")] },
    {},
    ["spec.containers: Forbidden: pod updates may not add or remove containers"],
  ],
  [
    { initContainers: [container({}, "d")] },
    {},
    ["spec.initContainers: Forbidden: pod updates may not add or remove containers"],
  ],
  [{ containers: [container({ image: "" })] }, {}, ["spec.containers[0].image: Required value"]],
  [
    {},
    { activeDeadlineSeconds: 9 },
    ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
  ],
  [
    { activeDeadlineSeconds: 10 },
    { activeDeadlineSeconds: 9 },
    ["spec.activeDeadlineSeconds: Invalid value: 10: must be less than or equal to previous value"],
  ],
  [{ terminationGracePeriodSeconds: 1 }, { terminationGracePeriodSeconds: -1 }, []],
  [
    {
      tolerations: [
        { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 9 },
        { operator: "Exists" },
      ],
    },
    { tolerations: [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }] },
    [],
  ],
  [
    { tolerations: [{ key: "b", operator: "Exists" }] },
    { tolerations: [{ key: "a", operator: "Exists" }] },
    ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
  ],
  [{ schedulingGates: [] }, { schedulingGates: [{ name: "a" }] }, []],
  [
    { schedulingGates: [{ name: "b" }] },
    { schedulingGates: [{ name: "a" }] },
    ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'"],
  ],
];

for (const [spec, old, want] of CHANGES) {
  test(`a pod with ${JSON.stringify(spec)} that had ${JSON.stringify(old)}`, () =>
    assert.deepEqual(changed(spec, old), want));
}

test("what cannot change is shown", () => {
  assert.deepEqual(changed({ hostPID: true, nodeName: "n" }, { hostPID: false }), [
    `${ELSE}@@ -11,7 +11,8 @@
  ],
  "dnsPolicy": "ClusterFirst",
  "enableServiceLinks": true,
- "hostPID": false,
+ "hostPID": true,
+ "nodeName": "n",
  "restartPolicy": "Always",
  "schedulerName": "default-scheduler",
  "securityContext": {},
`,
  ]);
});

const required = (terms: readonly JsonObject[]): JsonObject => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [...terms] } } },
});
const term = (...keys: readonly string[]): JsonObject => ({
  matchExpressions: keys.map((key) => ({ key, operator: "Exists" })),
});

test("a pod that waits to be placed may be told more of where it goes, and not less", () => {
  const gates = { schedulingGates: [{ name: "a" }] };
  const gated = (spec: JsonObject, old: JsonObject) => changed({ ...gates, ...spec }, { ...gates, ...old });
  assert.deepEqual(gated({ nodeSelector: { a: "b", c: "d" } }, { nodeSelector: { a: "b" } }), []);
  assert.deepEqual(gated({ nodeSelector: { a: "c" } }, { nodeSelector: { a: "b" } }), [
    'spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
  ]);
  assert.deepEqual(gated(required([term("a")]), {}), []);
  assert.deepEqual(gated(required([term("a", "b")]), required([term("a")])), []);
  const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  assert.deepEqual(gated(required([term("b")]), required([term("a")])), [
    `${at}[0]: Invalid value: {"matchExpressions":[{"key":"b","operator":"Exists"}]}: only additions are allowed (no mutations or deletions)`,
  ]);
  assert.deepEqual(gated({}, required([term("a")])), [
    `${at}: Invalid value: null: no additions/deletions to non-empty NodeSelectorTerms list are allowed`,
  ]);
  assert.deepEqual(fieldsOf(changed(required([term("a")]), {})), ["spec"]);
  assert.deepEqual(fieldsOf(gated({ affinity: { podAffinity: {} } }, {})), ["spec"]);
});

test("annotations that say how a pod is run stay, and say what its fields say", () => {
  const armor = "container.apparmor.security.beta.kubernetes.io/c";
  const at = `metadata.annotations[${armor}]`;
  const [local, other] = [annotated({ [armor]: "localhost/a" }), annotated({ [armor]: "localhost/b" })];
  assert.deepEqual(problemsOf("pods", other, local), [
    `${at}: Forbidden: may not remove or update AppArmor annotations`,
  ]);
  assert.deepEqual(problemsOf("pods", local, pod()), [`${at}: Forbidden: may not add AppArmor annotations`]);
  const mirror = annotated({ "kubernetes.io/config.mirror": "x" }, { nodeName: "n" });
  assert.deepEqual(problemsOf("pods", mirror, pod({ nodeName: "n" })), [
    "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation",
  ]);
  const odd = {
    [armor]: "some",
    "container.apparmor.security.beta.kubernetes.io/x": "unconfined",
    "seccomp.security.alpha.kubernetes.io/pod": "some",
    "container.seccomp.security.alpha.kubernetes.io/c": "localhost//a/../b",
    "scheduler.alpha.kubernetes.io/tolerations": '[{"key":"a b"}]',
  };
  assert.deepEqual(
    problemsOf("pods", annotated(odd)).map((line) => line.slice(0, 130)),
    [
      'metadata.annotations.scheduler.alpha.kubernetes.io/tolerations[0].key: Invalid value: "a b": name part must consist of alphanumeric',
      'metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "some": must be a valid seccomp profile',
      'metadata.annotations.container.seccomp.security.alpha.kubernetes.io/c: Invalid value: "/a/../b": must be a relative path',
      "metadata.annotations.container.seccomp.security.alpha.kubernetes.io/c: Invalid value: \"/a/../b\": must not contain '..'",
      `${at}: Invalid value: "some": invalid AppArmor profile name: "some"`,
      'metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "x": container not found',
    ].map((line) => line.slice(0, 130)),
  );
  const securityContext = {
    seccompProfile: { type: "Localhost", localhostProfile: "b" },
    appArmorProfile: { type: "RuntimeDefault" },
  };
  const both = {
    "container.seccomp.security.alpha.kubernetes.io/c": "localhost/a",
    [armor]: "unconfined",
  };
  const C = "spec.containers[0].securityContext";
  const differs = [
    `${C}.seccompProfile.localhostProfile: Forbidden: seccomp profile in annotation and field must match`,
    `${C}.appArmorProfile.type: Forbidden: apparmor type in annotation and field must match`,
  ];
  const spec = { containers: [container({ securityContext })] };
  assert.deepEqual(problemsOf("pods", annotated(both, spec)), differs);
  assert.deepEqual(problemsOf("pods", annotated(both, spec), annotated(both, spec)), []);
});

test("containers that were added later stay", () => {
  const with_ = (...list: readonly JsonObject[]): JsonObject => pod({ ephemeralContainers: [...list] });
  const change = (now: JsonObject, old: JsonObject) => problemsOf("pods", now, old, "ephemeralcontainers");
  const [a, b] = [container({}, "a"), container({}, "b")];
  assert.deepEqual(change(with_(b, a), with_(a)), []);
  assert.deepEqual(change(with_(b), with_(a)), [
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "a" may not be removed\n',
  ]);
  const [wrong = ""] = change(with_({ ...a, image: "j" }), with_(a));
  assert.match(
    wrong,
    /^spec\.ephemeralContainers: Forbidden: existing ephemeral containers "a" may not be changed\n@@ /,
  );
  assert.match(wrong, /\n- "image": "i",?\n\+ "image": "j",?\n/);
  assert.deepEqual(fieldsOf(problemsOf("pods", with_(a), pod())), ["spec"]);
  const mirror = { "kubernetes.io/config.mirror": "x" };
  const still = (more: JsonObject) => annotated(mirror, { nodeName: "n", ...more });
  assert.deepEqual(change(still({ ephemeralContainers: [a] }), still({})), [
    ": Forbidden: static pods do not support ephemeral containers",
  ]);
});

const sized = (cpu: string, more: JsonObject = {}): JsonObject =>
  container({ resources: { requests: { cpu, memory: "1Gi" }, ...more } });

test("a resize changes processors and memory alone", () => {
  const change = (spec: JsonObject, old: JsonObject, status: JsonObject = {}) =>
    problemsOf("pods", pod(spec), pod(old, { status }), "resize");
  const before = { containers: [sized("1")] };
  assert.deepEqual(change({ containers: [sized("2")] }, before), []);
  assert.deepEqual(change({ containers: [sized("1000m")] }, before), []);
  assert.deepEqual(change({ containers: [container({ resources: { requests: { cpu: "1" } } })] }, before), [
    "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
  ]);
  assert.deepEqual(change({ containers: [container()] }, before), [
    "spec: Invalid value: null: Pod QOS Class may not change as a result of resizing",
    "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
  ]);
  const disk = { requests: { cpu: "1", memory: "1Gi", "ephemeral-storage": "1Gi" } };
  assert.deepEqual(change({ containers: [container({ resources: disk })] }, before), [
    "spec: Forbidden: only cpu and memory resources are mutable",
  ]);
  assert.deepEqual(change({ containers: [{ ...sized("1"), name: "d" }] }, before), [
    "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
  ]);
  assert.deepEqual(change({ containers: [sized("1"), container({}, "d")] }, before), [
    "spec.containers: Forbidden: containers may not be added or removed on resize",
  ]);
  const running = [{ name: "c", state: { running: {} } }];
  assert.deepEqual(change({ containers: [sized("2")] }, before, { containerStatuses: running }), [
    "spec: Forbidden: Pod running on node without support for resize",
  ]);
  const first = container({}, "first");
  const init = (cpu: string): JsonObject => ({
    initContainers: [{ ...first, resources: { limits: { cpu } } }],
    ...before,
  });
  assert.deepEqual(change(init("2"), init("1")), []);
  const moved = { initContainers: [{ ...first, resources: { limits: { cpu: "1", "a.io/b": "1" } } }], ...before };
  assert.deepEqual(change(moved, init("1")), [
    "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable",
  ]);
  const whole = (resources: JsonObject): JsonObject => ({ ...before, resources });
  assert.deepEqual(
    change(whole({ requests: { cpu: "4", memory: "2Gi" } }), whole({ requests: { cpu: "3", memory: "2Gi" } })),
    [],
  );
  assert.deepEqual(change(whole({ requests: { cpu: "4" } }), whole({ requests: { cpu: "3", memory: "2Gi" } })), [
    "spec.resources.requests: Forbidden: pod-level resource requests cannot be removed",
  ]);
  assert.deepEqual(change(before, whole({ requests: { cpu: "3" } })), [
    "spec.resources: Forbidden: pod-level resources cannot be removed",
  ]);
});

test("a part of a pod changes nothing else of it", () => {
  const kind = kindOf("pods");
  const old = objectOf(
    kind,
    pod({ containers: [sized("1")] }, { metadata: { labels: { a: "b" } }, status: { phase: "Running" } }),
  );
  const sent = (spec: JsonObject) =>
    objectOf(kind, pod({ hostPID: true, ...spec }, { metadata: { labels: { c: "d" } }, status: { phase: "Failed" } }));
  const resized = sent({ containers: [{ ...sized("2"), image: "j" }] });
  kind.hooks.prepareUpdate?.(resized, old, "resize");
  assert.deepEqual(resized, {
    ...old,
    spec: {
      ...(old["spec"] as JsonObject),
      containers: [
        {
          ...(old["spec"] as { containers: JsonObject[] }).containers[0],
          resources: { requests: { cpu: "2", memory: "1Gi" } },
        },
      ],
    },
  });
  const added = sent({ ephemeralContainers: [container({}, "e")] });
  const ephemeralContainers = deepCopy((added["spec"] as JsonObject)["ephemeralContainers"] ?? null);
  kind.hooks.prepareUpdate?.(added, old, "ephemeralcontainers");
  assert.deepEqual(added, { ...old, spec: { ...(old["spec"] as JsonObject), ephemeralContainers } });
  const status = objectOf(
    kind,
    pod({}, { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } }),
  );
  const seen = {
    qosClass: "BestEffort",
    observedGeneration: 3,
    conditions: [{ type: "Ready", status: "False", observedGeneration: 2 }],
  };
  kind.hooks.prepareUpdate?.(status, { ...old, status: seen }, "status");
  assert.deepEqual(status["status"], {
    phase: "Running",
    qosClass: "BestEffort",
    observedGeneration: 3,
    conditions: [
      { type: "Ready", status: "True", observedGeneration: 2, lastProbeTime: null, lastTransitionTime: null },
    ],
  });
});

const ended = (exitCode: number, name = "c"): JsonObject => ({ name, state: { terminated: { exitCode } } });
const runs = (name = "c"): JsonObject => ({ name, state: { running: {} } });
const BACK = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state";

/** A status, the one before, the pod's spec, and what is wrong. */
const STATUSES: readonly (readonly [JsonObject, JsonObject, JsonObject, readonly string[]])[] = [
  [
    {
      phase: "Running",
      podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }],
      hostIP: "1.2.3.4",
      hostIPs: [{ ip: "1.2.3.4" }],
    },
    {},
    {},
    [],
  ],
  [
    { podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }], hostIPs: [{ ip: "x" }] },
    {},
    {},
    [
      'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP family',
      'status.hostIPs[0].ip: Invalid value: "x": must be equal to `hostIP`',
      'status.hostIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  [{ podIPs: [{ ip: "010.0.0.1" }] }, { podIPs: [{ ip: "010.0.0.1" }] }, {}, []],
  [
    { qosClass: "Guaranteed" },
    { qosClass: "BestEffort" },
    {},
    ['status.qosClass: Invalid value: "Guaranteed": field is immutable'],
  ],
  [
    {
      observedGeneration: -1,
      nominatedNodeName: "n",
      conditions: [{ type: "a b", status: "True", observedGeneration: -1 }],
    },
    {},
    { nodeName: "m" },
    [
      "status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer",
      'status.conditions[0].Type: Invalid value: "a b": …',
      "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node",
      "status.observedGeneration: Invalid value: -1: must be a non-negative integer",
    ],
  ],
  [{ containerStatuses: [runs()] }, { containerStatuses: [ended(0)] }, {}, []],
  [{ containerStatuses: [runs()] }, { containerStatuses: [ended(1)] }, { restartPolicy: "Never" }, [BACK]],
  [{ containerStatuses: [runs()] }, { containerStatuses: [ended(1)] }, { restartPolicy: "OnFailure" }, []],
  [{ containerStatuses: [runs()] }, { containerStatuses: [ended(0)] }, { restartPolicy: "OnFailure" }, [BACK]],
  [
    { containerStatuses: [runs()] },
    { containerStatuses: [ended(7)] },
    {
      restartPolicy: "Never",
      containers: [
        container({
          restartPolicy: "Never",
          restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [7] } }],
        }),
      ],
    },
    [],
  ],
  [
    { ephemeralContainerStatuses: [runs("e")] },
    { ephemeralContainerStatuses: [ended(0, "e")] },
    {},
    ["status.ephemeralContainerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"],
  ],
  [
    { resourceClaimStatuses: [{ name: "x", resourceClaimName: "X" }] },
    {},
    {},
    [
      'status.resourceClaimStatuses[0].name: Invalid value: "x": must match the name of an entry in `spec.resourceClaims`',
      'status.resourceClaimStatuses[0].resourceClaimName: Invalid value: "X": …',
    ],
  ],
  [
    {
      containerStatuses: [
        {
          name: "c",
          user: { linux: { uid: -1, gid: 0 } },
          allocatedResourcesStatus: [{ name: "a.io/b", resources: [{ resourceID: "1", health: "Good" }] }],
        },
      ],
    },
    {},
    {},
    [
      "status.containerStatuses[0].user.linux.uid: Invalid value: -1: must be between 0 and 2147483647, inclusive",
      `status.containerStatuses[0].allocatedResourcesStatus[0].name: Invalid value: "a.io/b": must match one of the container's resource requests`,
      'status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health: Unsupported value: "Good": supported values: "Healthy", "Unhealthy", "Unknown"',
    ],
  ],
];

for (const [status, before, spec, want] of STATUSES) {
  test(`a pod's status ${JSON.stringify(status)} after ${JSON.stringify(before)} of ${JSON.stringify(spec)}`, () => {
    const found = problemsOf("pods", pod(spec, { status }), pod(spec, { status: before }), "status");
    assert.deepEqual(
      found.map((line) => line.replace(/: (a lowercase RFC 1123|name part must).*/, ": …")),
      want,
    );
  });
}

test("a pod's quality is what its containers are promised", () => {
  const of = (...resources: readonly JsonObject[]) =>
    quality({ containers: resources.map((one) => container({ resources: one })) });
  const all = { cpu: "1", memory: "1Gi" };
  assert.equal(of({}), "BestEffort");
  assert.equal(of({ requests: { cpu: "0" } }), "BestEffort");
  assert.equal(of({ requests: { "a.io/b": "1" } }), "BestEffort");
  assert.equal(of({ limits: all, requests: { cpu: "1000m", memory: "1Gi" } }), "Guaranteed");
  assert.equal(of({ limits: all }), "Guaranteed");
  assert.equal(of({ limits: all, requests: all }, {}), "Burstable");
  assert.equal(of({ limits: all, requests: { ...all, cpu: "500m" } }), "Burstable");
  assert.equal(quality({ containers: [container()], resources: { limits: all, requests: all } }), "Guaranteed");
});

test("writers of pods are warned of their names, and of nothing when they change one", () => {
  const odd = pod({ terminationGracePeriodSeconds: -1 }, { metadata: { name: "a.b" } });
  assert.deepEqual(warningsOf("pods", odd), [
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
    "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
  ]);
  assert.deepEqual(warningsOf("pods", { ...odd, metadata: { generation: 2 } }, odd), []);
});
