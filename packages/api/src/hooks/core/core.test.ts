import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { problemsOf, warningsOf } from "../../testing/problems-of.ts";

test("a quota limits what there is, by scopes that fit, and keeps them", () => {
  const of = (spec: JsonObject): JsonObject => ({ spec });
  const good = of({ hard: { pods: "4", "requests.cpu": "1", "count/jobs.batch": "2" }, scopes: ["Terminating"] });
  assert.deepEqual(problemsOf("resourcequotas", good), []);
  const wrong = of({
    hard: { pods: "1.5", memory: "-1", bananas: "1" },
    scopes: ["BestEffort", "NotBestEffort", "Odd"],
  });
  const scopes = '["BestEffort","NotBestEffort","Odd"]';
  assert.deepEqual(problemsOf("resourcequotas", wrong), [
    'spec.hard[pods]: Invalid value: "1500m": must be an integer',
    'spec.hard[memory]: Invalid value: "-1": must be greater than or equal to 0',
    'spec.hard[bananas]: Invalid value: "bananas": must be a standard resource type or fully qualified',
    'spec.hard[bananas]: Invalid value: "bananas": must be a standard resource for quota',
    `spec.scopes: Invalid value: ${scopes}: unsupported scope applied to resource`,
    `spec.scopes: Invalid value: ${scopes}: unsupported scope`,
    `spec.scopes: Invalid value: ${scopes}: conflicting scopes`,
  ]);
  const selector = (one: JsonObject): JsonObject => of({ scopeSelector: { matchExpressions: [one] } });
  const at = "spec.scopeSelector.matchExpressions";
  assert.deepEqual(problemsOf("resourcequotas", selector({ scopeName: "PriorityClass", operator: "In" })), [
    `${at}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
  ]);
  assert.deepEqual(problemsOf("resourcequotas", of({ scopes: [] }), good), [
    "spec.scopes: Invalid value: []: field is immutable",
  ]);
  assert.deepEqual(warningsOf("resourcequotas", of({ hard: { cpu: "2", "limits.cpu": "1" } })), [
    "ResourceQuota cpu (2) should be less than limits.cpu (1)",
  ]);
});

test("a node keeps what it was given, and its taints are unique", () => {
  const taints = [
    { key: "a", effect: "NoSchedule" },
    { key: "a", effect: "NoSchedule", value: "x" },
    { key: "", effect: "Never" },
  ];
  const [first, second] = problemsOf("nodes", { spec: { taints } });
  assert.equal(
    first,
    'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"x"}: taints must be unique by key and effect pair',
  );
  assert.equal(second, 'metadata.taints[2].key: Invalid value: "": name part must be non-empty');
  const given = { spec: { podCIDR: "10.0.0.0/24", podCIDRs: ["10.0.0.0/24"], providerID: "p" } };
  assert.deepEqual(problemsOf("nodes", { spec: { podCIDRs: ["10.0.1.0/24"], providerID: "q" } }, given), [
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ]);
  const address = { type: "InternalIP", address: "10.0.0.1" };
  const status = { addresses: [address, address], capacity: { "a.io/x": "1.5" }, declaredFeatures: ["B", "A"] };
  assert.deepEqual(problemsOf("nodes", { status }, {}, "status"), [
    'status.capacity.a.io/x: Invalid value: "1500m": must be an integer',
    'status.allocatable.a.io/x: Invalid value: "1500m": must be an integer',
    'status.declaredFeatures[1]: Invalid value: "A": list must be sorted alphabetically',
    'status.addresses[1]: Duplicate value: {"type":"InternalIP","address":"10.0.0.1"}',
  ]);
});

test("finalizers are qualified or known, and owners complete", () => {
  const finalizers = ["mine", "kubernetes", "a.io/b"];
  assert.deepEqual(problemsOf("configmaps", { metadata: { finalizers } }), [
    'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
  ]);
  // Kinds that have always had others.
  assert.deepEqual(problemsOf("leases", { metadata: { finalizers } }), []);
  const owner = (name: string): JsonObject => ({ apiVersion: "v1", kind: "Pod", name, uid: name, controller: true });
  const ownerReferences = [owner("x"), owner("y"), { apiVersion: "v1", kind: "Event", name: "", uid: "u" }];
  const shown = JSON.stringify(ownerReferences);
  assert.deepEqual(problemsOf("configmaps", { metadata: { ownerReferences } }), [
    `metadata.ownerReferences: Invalid value: ${shown}: Only one reference can have Controller set to true. Found "true" in references for Pod/x and Pod/y`,
    'metadata.ownerReferences.name: Invalid value: "": must not be empty',
    'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"","uid":"u"}: /v1, Kind=Event is disallowed from being an owner',
  ]);
});

test("names are told to be too long, or to have dots", () => {
  const named = (resource: string, metadata: JsonObject) => problemsOf(resource, { metadata });
  assert.deepEqual(named("namespaces", { name: "a.b" }), [
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);
  const long = "a".repeat(254);
  assert.deepEqual(named("serviceaccounts", { name: long }), [
    `metadata.name: Invalid value: "${long}": must be no more than 253 characters`,
  ]);
  assert.deepEqual(named("serviceaccounts", { name: "a", generateName: "b-" }), []);
  const value = "v".repeat(64);
  assert.deepEqual(named("serviceaccounts", { labels: { "a/b/c": value } }), [
    "metadata.labels: Invalid value: \"a/b/c\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    `metadata.labels: Invalid value: "${value}": must be no more than 63 bytes`,
  ]);
});

test("a namespace's phase is that of its deletion", () => {
  assert.deepEqual(problemsOf("namespaces", { status: { phase: "Terminating" } }, {}, "status"), [
    "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty",
  ]);
  assert.deepEqual(problemsOf("namespaces", { spec: { finalizers: ["mine"] } }), [
    'spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
  ]);
});

test("priority classes: users' are not above the server's, and none changes", () => {
  const named = (name: string, value: number): JsonObject => ({ metadata: { name }, value });
  assert.deepEqual(problemsOf("priorityclasses", named("system-node-critical", 2_000_001_000)), []);
  assert.deepEqual(problemsOf("priorityclasses", named("mine", 1_000_000_001)), [
    "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
  ]);
  assert.deepEqual(problemsOf("priorityclasses", named("system-x", 1)), [
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class",
  ]);
  assert.deepEqual(problemsOf("priorityclasses", { ...named("a", 2), preemptionPolicy: "Never" }, named("a", 1)), [
    "value: Forbidden: may not be changed in an update.",
    'preemptionPolicy: Invalid value: "Never": field is immutable',
  ]);
});

test("a runtime class has a handler, and says what pods of it take and bear", () => {
  assert.deepEqual(problemsOf("runtimeclasses", {}), ["handler: Required value"]);
  const toleration = { key: "a", operator: "Exists", value: "x" };
  const wrong = {
    handler: "h",
    overhead: { podFixed: { cpu: "-1", storage: "1" } },
    scheduling: { nodeSelector: { "beta.kubernetes.io/os": "linux" }, tolerations: [toleration, toleration] },
  };
  assert.deepEqual(problemsOf("runtimeclasses", wrong), [
    'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    'overhead.limits[storage]: Invalid value: "storage": must be a standard resource for containers',
    "scheduling.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
    "scheduling.tolerations[1].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
    'scheduling.tolerations[1]: Duplicate value: {"key":"a","operator":"Exists","value":"x"}',
  ]);
  assert.deepEqual(warningsOf("runtimeclasses", wrong), [
    'scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead',
  ]);
  assert.deepEqual(problemsOf("runtimeclasses", { handler: "i" }, { handler: "h" }), [
    'handler: Invalid value: "i": field is immutable',
  ]);
});

test("leases and revisions count from nothing", () => {
  assert.deepEqual(problemsOf("leases", { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }), [
    "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
    "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
  ]);
  assert.deepEqual(problemsOf("controllerrevisions", { revision: -1, data: [] }), [
    "revision: Invalid value: -1: must be greater than or equal to 0",
    "data: Required value: data must be a valid JSON object",
  ]);
  assert.deepEqual(
    problemsOf("controllerrevisions", { revision: 1, data: { a: 2 } }, { revision: 1, data: { a: 1 } }),
    ['data: Invalid value: {"a":2}: field is immutable'],
  );
});

test("roles have rules of one sort, and bindings subjects that can be", () => {
  const rule = { verbs: ["get"], nonResourceURLs: ["/healthz"] };
  assert.deepEqual(problemsOf("clusterroles", { rules: [rule] }), []);
  assert.deepEqual(problemsOf("roles", { rules: [rule, { verbs: [] }] }), [
    'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs',
    "rules[1].verbs: Required value: verbs must contain at least one value",
    "rules[1].apiGroups: Required value: resource rules must supply at least one api group",
    "rules[1].resources: Required value: resource rules must supply at least one resource",
  ]);
  assert.deepEqual(problemsOf("clusterroles", { rules: [], aggregationRule: {} }), [
    "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil",
  ]);
  const subjects = [
    { kind: "ServiceAccount", name: "a" },
    { kind: "User", name: "" },
    { kind: "Robot", name: "r" },
  ];
  assert.deepEqual(problemsOf("clusterrolebindings", { roleRef: { kind: "Role", name: "" }, subjects }), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    "roleRef.name: Required value",
    "subjects[0].namespace: Required value",
    "subjects[1].name: Required value",
    'subjects[1].name: Invalid value: "": user name cannot be empty',
    'subjects[2].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
  ]);
  const bound = (name: string): JsonObject => ({ roleRef: { kind: "ClusterRole", name } });
  assert.deepEqual(problemsOf("rolebindings", bound("b"), bound("a")), [
    'roleRef: Invalid value: {"kind":"ClusterRole","name":"b","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef',
  ]);
});

test("flow schemas and priority levels: numbers, subjects, and what a server cannot do without", () => {
  const schema = (spec: JsonObject, name = "a"): JsonObject => ({ metadata: { name }, spec });
  const level = { priorityLevelConfiguration: { name: "l" } };
  const rules = [
    { subjects: [{ kind: "User", group: { name: "g" } }], resourceRules: [{ verbs: ["*", "get"], apiGroups: [""] }] },
    { subjects: [], nonResourceRules: [{ verbs: ["fly"], nonResourceURLs: ["x", "/a*b"] }] },
  ];
  assert.deepEqual(problemsOf("flowschemas", schema({ ...level, matchingPrecedence: 1, rules })), [
    "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
    "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
    "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
    'spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
    "spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource",
    "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace",
    "spec.rules[1].subjects: Required value: subjects must contain at least one value",
    'spec.rules[1].nonResourceRules[0].verbs: Unsupported value: ["fly"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
    'spec.rules[1].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must start with slash',
    'spec.rules[1].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a*b": wildcard can only do suffix matching',
  ]);
  const [fixed] = problemsOf("flowschemas", schema(level, "catch-all"));
  assert.match(fixed ?? "", /spec of 'catch-all' must equal the fixed value$/);
  const queuing = { queues: 64, handSize: 11, queueLengthLimit: 0 };
  const limited = { limitResponse: { type: "Queue", queuing }, lendablePercent: 101 };
  const at = "spec.limited";
  assert.deepEqual(problemsOf("prioritylevelconfigurations", schema({ type: "Limited", limited })), [
    `${at}.limitResponse.queuing.queueLengthLimit: Invalid value: 0: must be positive`,
    `${at}.limitResponse.queuing.handSize: Invalid value: 11: required entropy bits of deckSize 64 and handSize 11 should not be greater than 60`,
    `${at}.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive`,
  ]);
  assert.deepEqual(problemsOf("prioritylevelconfigurations", schema({ type: "Exempt" })), [
    "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'",
  ]);
});

test("a config map has keys that files can be called by, each once, and not too much in them", () => {
  assert.deepEqual(problemsOf("configmaps", { data: { "a.b": "c" }, binaryData: { d: "AAA=" } }), []);
  const keys =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
  assert.deepEqual(problemsOf("configmaps", { data: { "a/b": "", c: "" }, binaryData: { c: "", "..d": "" } }), [
    `data[a/b]: Invalid value: "a/b": ${keys}`,
    'data[c]: Invalid value: "c": duplicate of key present in binaryData',
    "binaryData[..d]: Invalid value: \"..d\": must not start with '..'",
  ]);
  assert.deepEqual(problemsOf("configmaps", { data: { a: "x".repeat(2 ** 20 + 1) } }), [
    "[]: Too long: may not be more than 1048576 bytes",
  ]);
  const fixed = { immutable: true, data: { a: "b" } };
  assert.deepEqual(problemsOf("configmaps", { data: {}, binaryData: { a: "" } }, fixed), [
    "immutable: Forbidden: field is immutable when `immutable` is set",
    "data: Forbidden: field is immutable when `immutable` is set",
    "binaryData: Forbidden: field is immutable when `immutable` is set",
  ]);
});

test("a secret has what its type says, and keeps the type", () => {
  const of = (type: string, data: Record<string, string>): readonly string[] =>
    problemsOf("secrets", {
      type,
      data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")])),
    });
  const good: readonly [string, Record<string, string>][] = [
    ["Opaque", {}],
    ["mine", { a: "" }],
    ["kubernetes.io/dockercfg", { ".dockercfg": "{}" }],
    ["kubernetes.io/basic-auth", { password: "" }],
    ["kubernetes.io/ssh-auth", { "ssh-privatekey": "x" }],
    ["kubernetes.io/tls", { "tls.crt": "", "tls.key": "" }],
  ];
  for (const [type, data] of good) assert.deepEqual(of(type, data), [], type);
  const wrong: readonly [string, Record<string, string>, ...string[]][] = [
    [
      "kubernetes.io/service-account-token",
      {},
      "metadata.annotations[kubernetes.io/service-account.name]: Required value",
    ],
    ["kubernetes.io/dockercfg", {}, "data[.dockercfg]: Required value"],
    [
      "kubernetes.io/dockercfg",
      { ".dockercfg": "" },
      'data[.dockercfg]: Invalid value: "<secret contents redacted>": unexpected end of JSON input',
    ],
    [
      "kubernetes.io/dockerconfigjson",
      { ".dockerconfigjson": "[]" },
      'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go value of type map[string]interface {}',
    ],
    [
      "kubernetes.io/dockerconfigjson",
      { ".dockerconfigjson": "x" },
      "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'x' looking for beginning of value",
    ],
    ["kubernetes.io/basic-auth", {}, "data[username]: Required value", "data[password]: Required value"],
    ["kubernetes.io/ssh-auth", { "ssh-privatekey": "" }, "data[ssh-privatekey]: Required value"],
    ["kubernetes.io/tls", { "tls.crt": "x" }, "data[tls.key]: Required value"],
  ];
  for (const [type, data, ...words] of wrong) assert.deepEqual(of(type, data), words, type);
  assert.deepEqual(
    problemsOf("secrets", { type: "b", stringData: { a: "c" } }, { immutable: true, stringData: { a: "b" } }),
    [
      'type: Invalid value: "b": field is immutable',
      "immutable: Forbidden: field is immutable when `immutable` is set",
      "data: Forbidden: field is immutable when `immutable` is set",
    ],
  );
});

test("a limit range has each type once, and what it gives lies between its bounds", () => {
  const of = (...limits: JsonObject[]): readonly string[] =>
    problemsOf("limitranges", { spec: { limits } }).map((one) => one.replace("spec.limits", "~"));
  assert.deepEqual(
    of(
      { type: "Container", min: { cpu: "1" }, max: { cpu: "4" }, maxLimitRequestRatio: { cpu: "4" } },
      { type: "Pod", max: { memory: "1Gi" } },
      { type: "PersistentVolumeClaim", min: { storage: "1Gi" } },
      { type: "a.io/thing", max: { "a.io/b": "1" } },
    ),
    [],
  );
  assert.deepEqual(
    of(
      { type: "Thing" },
      { type: "Pod", default: { cpu: "1" }, max: { pods: "1" } },
      { type: "PersistentVolumeClaim" },
      { type: "Pod" },
    ),
    [
      '~[0].type: Invalid value: "Thing": must be a standard limit type or fully qualified',
      '~[1].max[pods]: Invalid value: "pods": must be a standard resource for containers',
      "~[1].default: Forbidden: may not be specified when `type` is 'Pod'",
      "~[2].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
      '~[3].type: Duplicate value: "Pod"',
    ],
  );
  assert.deepEqual(
    of({
      type: "Container",
      min: { cpu: "3", memory: "1Gi" },
      max: { cpu: "2", memory: "2Gi" },
      default: { cpu: "4", "a.io/b": "2" },
      defaultRequest: { cpu: "5", "a.io/b": "1" },
      maxLimitRequestRatio: { cpu: "500m", memory: "3" },
    }),
    [
      '~[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2',
      '~[0].defaultRequest[cpu]: Invalid value: "5": default request value 5 is greater than max value 2',
      '~[0].defaultRequest[cpu]: Invalid value: "5": default request value 5 is greater than default limit value 4',
      '~[0].default[cpu]: Invalid value: "2": default value 4 is greater than max value 2',
      '~[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
      '~[0].maxLimitRequestRatio[memory]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
      '~[0].defaultRequest[a.io/b]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in a.io/b',
    ],
  );
});

test("an event of the new sort says who reports what, and says it for ever", () => {
  const good: JsonObject = {
    regarding: { namespace: "default" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "a.io/b",
    reportingInstance: "b-1",
    action: "Done",
    reason: "Why",
    type: "Normal",
    note: "so it is",
  };
  const of = (more: JsonObject, before?: JsonObject): readonly string[] =>
    problemsOf("events.events.k8s.io", { ...good, ...more }, before);
  assert.deepEqual(of({}), []);
  assert.deepEqual(
    of({
      regarding: { namespace: "other" },
      eventTime: null,
      type: "Odd",
      deprecatedCount: 3,
      deprecatedSource: { host: "a" },
      series: { count: 1, lastObservedTime: null },
    }),
    [
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
      'series.count: Invalid value: "": should be at least 2',
      "series.lastObservedTime: Required value",
      "eventTime: Required value",
      'type: Invalid value: "": has invalid value: Odd',
      'count: Invalid value: "": needs to be unset',
      'source: Invalid value: "": needs to be unset',
    ],
  );
  const series = { count: 2, lastObservedTime: "2026-01-01T00:00:01.000000Z" };
  assert.deepEqual(of({ series, eventTime: "2026-01-01T00:00:00.000000123Z" }, good), []);
  const long = "x".repeat(129);
  assert.deepEqual(of({ reason: long, note: "other", action: "" }, good), [
    "action: Required value",
    'reason: Invalid value: "": can have at most 128 characters',
    `reason: Invalid value: "${long}": field is immutable`,
    'message: Invalid value: "other": field is immutable',
    'action: Invalid value: "": field is immutable',
  ]);
  assert.deepEqual(of({ note: "other", type: "Warning" }, good), [
    'message: Invalid value: "other": field is immutable',
    'type: Invalid value: "Warning": field is immutable',
  ]);
  const old = { involvedObject: {}, eventTime: "2026-01-01T00:00:00.000000Z", reportingComponent: "a b" };
  assert.deepEqual(
    problemsOf("events", old).map((one) => one.split(":")[0]),
    ["reportingComponent", "reportingInstance", "action", "reason"],
  );
});
