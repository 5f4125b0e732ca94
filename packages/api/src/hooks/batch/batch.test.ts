import assert from "node:assert/strict";
import { test } from "node:test";
import { deepCopy, isObject, type JsonObject } from "../../object/json.ts";
import { valueAt } from "../../object/kube-object.ts";
import { kindOf, objectOf, problemsOf, warningsOf } from "../../testing/problems-of.ts";

const LABELS = { app: "a" };
const UID = "6e6bd1c1-0c1b-4ee4-8c2a-c46d3d9c8e0d";
const template = (pod: JsonObject = {}): JsonObject => ({
  metadata: { labels: LABELS },
  spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }], ...pod },
});
const job = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  spec: { manualSelector: true, selector: { matchLabels: LABELS }, template: template(), ...spec },
  ...more,
});
const wrong = (spec: JsonObject): readonly string[] => problemsOf("jobs", job(spec));
const INDEXED = { completionMode: "Indexed", completions: 5 };

/** A job whose selector the server makes, as it is when it is kept. */
function made(spec: JsonObject = {}, name = "a"): JsonObject {
  const kind = kindOf("jobs");
  const object = objectOf(kind, { metadata: { name, uid: UID }, spec: { template: template(), ...spec } });
  kind.hooks.prepareCreate?.(object);
  return object;
}

test("a job is given its selector and labels, and none that lead elsewhere", () => {
  assert.deepEqual(problemsOf("jobs", made()), []);
  const labels = { "job-name": "b", "batch.kubernetes.io/controller-uid": "c" };
  const shown = `{"controller-uid":"${UID}","job-name":"b","batch.kubernetes.io/controller-uid":"c","batch.kubernetes.io/job-name":"a"}`;
  assert.deepEqual(problemsOf("jobs", made({ template: { ...template(), metadata: { labels } } })), [
    `spec.template.metadata.labels[job-name]: Invalid value: ${shown}: must be 'a'`,
    `spec.template.metadata.labels[batch.kubernetes.io/controller-uid]: Invalid value: ${shown}: must be '${UID}'`,
    `spec.template.metadata.labels: Invalid value: ${shown}: \`selector\` does not match template \`labels\``,
  ]);
  const selector = { matchLabels: { x: "y" } };
  assert.deepEqual(
    problemsOf("jobs", made({ selector })).map((line) => line.replace(/\{.*\}/, "…")),
    [
      "spec.selector: Invalid value: …: `selector` not auto-generated",
      "spec.template.metadata.labels: Invalid value: …: `selector` does not match template `labels`",
    ],
  );
  assert.deepEqual(problemsOf("jobs", { spec: { manualSelector: true, template: template() } }), [
    "spec.selector: Required value",
    'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
  ]);
});

const CASES: readonly (readonly [spec: JsonObject, problems: readonly string[]])[] = [
  [{}, []],
  [
    { parallelism: -1, completions: -2, activeDeadlineSeconds: -3, backoffLimit: -4, ttlSecondsAfterFinished: -5 },
    [
      "parallelism -1",
      "completions -2",
      "activeDeadlineSeconds -3",
      "backoffLimit -4",
      "ttlSecondsAfterFinished -5",
    ].map((text) => `spec.${text.replace(" ", ": Invalid value: ")}: must be greater than or equal to 0`),
  ],
  [
    { template: template({ restartPolicy: "Always" }) },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [{ managedBy: "acme.io/foo" }, []],
  [
    { managedBy: "acme" },
    ['spec.managedBy: Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [{ managedBy: `a.io/${"b".repeat(60)}` }, ["spec.managedBy: Too long: may not be more than 63 bytes"]],
  [
    { completionMode: "Sorted" },
    ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
  ],
  [
    { completionMode: "Indexed", parallelism: 100_001 },
    [
      "spec.completions: Required value: when completion mode is Indexed",
      "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed",
    ],
  ],
  [
    { ...INDEXED, maxFailedIndexes: 6 },
    [
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
      "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
    ],
  ],
  [
    { completionMode: "Indexed", completions: 100_001, parallelism: 10_001, backoffLimitPerIndex: 1 },
    [
      "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
      "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index",
    ],
  ],
  [
    { backoffLimitPerIndex: 1, maxFailedIndexes: 2 },
    [
      "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
      "spec.maxFailedIndexes: Invalid value: 2: requires indexed completion mode",
    ],
  ],
  [
    { podReplacementPolicy: "Soon" },
    ['spec.podReplacementPolicy: Unsupported value: "Soon": supported values: "Failed", "TerminatingOrFailed"'],
  ],
  [
    { podReplacementPolicy: "TerminatingOrFailed", podFailurePolicy: { rules: [] } },
    ['spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'],
  ],
  [
    { podFailurePolicy: { rules: [] }, template: template({ restartPolicy: "OnFailure" }) },
    [
      'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    ],
  ],
  [
    { successPolicy: { rules: [] } },
    ['spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode'],
  ],
];

for (const [spec, problems] of CASES) {
  test(`a job with ${JSON.stringify(spec).slice(0, 80)}: ${problems.length}`, () =>
    assert.deepEqual(wrong(spec), problems));
}

test("rules of failures say of which, and what to do", () => {
  const rules = (...list: JsonObject[]) => wrong({ podFailurePolicy: { rules: list } });
  const R = "spec.podFailurePolicy.rules[0]";
  const onExitCodes = { operator: "In", values: [1, 2], containerName: "c" };
  assert.deepEqual(rules({ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] }), []);
  assert.deepEqual(rules({ action: "FailJob", onExitCodes }), []);
  assert.deepEqual(rules({ action: "FailIndex", onExitCodes }), [
    `${R}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
  ]);
  assert.deepEqual(rules({ action: "", onExitCodes: { operator: "", values: [], containerName: "x" } }), [
    `${R}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`,
    `${R}.onExitCodes.operator: Required value: valid values: ["In" "NotIn"]`,
    `${R}.onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template`,
    `${R}.onExitCodes.values: Invalid value: []: at least one value is required`,
  ]);
  assert.deepEqual(rules({ action: "Wait", onExitCodes: { operator: "In", values: [3, 0, 3] } }), [
    `${R}.action: Unsupported value: "Wait": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
    `${R}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
    `${R}.onExitCodes.values[2]: Duplicate value: 3`,
    `${R}.onExitCodes.values: Invalid value: [3,0,3]: must be ordered`,
  ]);
  assert.deepEqual(rules({ action: "Count" }), [
    `${R}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
  ]);
  assert.deepEqual(rules({ action: "Count", onExitCodes, onPodConditions: [{ type: "X", status: "Maybe" }] }), [
    `${R}.onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
    `${R}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported`,
  ]);
  const many = Array.from({ length: 21 }, () => ({ action: "FailJob", onExitCodes }));
  assert.deepEqual(rules(...many), ["spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items"]);
});

test("rules of success name indexes that there are", () => {
  const rules = (...list: JsonObject[]) => wrong({ ...INDEXED, successPolicy: { rules: list } });
  const R = "spec.successPolicy.rules[0]";
  assert.deepEqual(rules({ succeededIndexes: "0,2-4", succeededCount: 4 }), []);
  assert.deepEqual(rules(), [
    "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified",
  ]);
  assert.deepEqual(rules({}), [
    `${R}: Required value: at least one of succeededCount or succeededIndexes must be specified`,
  ]);
  assert.deepEqual(rules({ succeededIndexes: "0-1", succeededCount: 6 }), [
    `${R}.succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)`,
    `${R}.succeededCount: Invalid value: 6: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)`,
  ]);
  for (const [indexes, why] of [
    ["5", 'too large index: "5"'],
    ["1-7", 'too large index: "7"'],
    ["a", 'cannot convert string to integer for index: "a"'],
    ["3-1", "non-increasing order, previous: 3, current: 1"],
    ["2,2", "non-increasing order, previous: 2, current: 2"],
    [
      "1-2-3",
      `the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'`,
    ],
  ] as const) {
    const text = JSON.stringify(indexes);
    assert.deepEqual(rules({ succeededIndexes: indexes }), [
      `${R}.succeededIndexes: Invalid value: ${text}: error parsing succeededIndexes: ${why}`,
    ]);
  }
});

test("pods of an indexed job have names", () => {
  const name = "a".repeat(62);
  assert.deepEqual(problemsOf("jobs", job(INDEXED, { metadata: { name } })), [
    `metadata.name: Invalid value: "${name}": will not able to create pod with invalid DNS label: ${name}-4`,
  ]);
});

test("most of a job stays", () => {
  const changed = (spec: JsonObject, old: JsonObject = {}, more: JsonObject = {}): readonly string[] =>
    problemsOf("jobs", job(spec), job(old, more));
  const fixed = (field: string, value: string): string => `spec.${field}: Invalid value: ${value}: field is immutable`;
  assert.deepEqual(
    changed({ parallelism: 3, suspend: true, backoffLimit: 9, activeDeadlineSeconds: 5 }, { parallelism: 1 }),
    [
      // Without completions there is one more default.
    ],
  );
  assert.deepEqual(changed({ completions: 3 }, { completions: 2 }), [fixed("completions", "3")]);
  assert.deepEqual(changed({ ...INDEXED, completions: 7, parallelism: 7 }, { ...INDEXED, parallelism: 5 }), []);
  assert.deepEqual(changed({ ...INDEXED, completions: 7, parallelism: 5 }, { ...INDEXED, parallelism: 5 }), [
    "spec.completions: Invalid value: 7: can only be modified in tandem with spec.parallelism",
  ]);
  assert.deepEqual(changed({ ...INDEXED, backoffLimitPerIndex: 2 }, INDEXED), [fixed("backoffLimitPerIndex", "2")]);
  assert.deepEqual(changed({ managedBy: "a.io/b" }), [fixed("managedBy", '"a.io/b"')]);
  assert.deepEqual(changed({ completionMode: "NonIndexed", completions: 5 }, INDEXED), [
    fixed("completionMode", '"NonIndexed"'),
  ]);
  assert.equal(changed({ template: template({ hostPID: true }) })[0]?.endsWith("field is immutable"), true);
});

test("where the pods of a job at rest go, and what they need, can change", () => {
  const image = (name: string) => ({ containers: [{ name: "c", image: name }] });
  const moved = {
    nodeSelector: { a: "b" },
    tolerations: [{ operator: "Exists" }],
    schedulingGates: [{ name: "a.io/b" }],
    affinity: { nodeAffinity: {} },
    containers: [{ name: "c", image: "i", resources: { limits: { cpu: "1" } } }],
  };
  const change = (pod: JsonObject, old: JsonObject, status: JsonObject = {}): readonly string[] =>
    problemsOf("jobs", job({ suspend: true, template: template(pod) }), job(old, { status })).map((line) =>
      line.replace(/\{.*\}/, "…"),
    );
  const at = (field: string): string => `spec.template${field}: Invalid value: …: field is immutable`;
  const suspended = { suspend: true };
  assert.deepEqual(change(moved, suspended), []);
  assert.deepEqual(change(moved, {}), [at("")]);
  assert.deepEqual(change(image("j"), suspended), [at(".spec")]);
  assert.deepEqual(change({ affinity: { podAffinity: {} } }, suspended), [at(".spec")]);
  const startTime = "2026-01-01T00:00:00Z";
  assert.deepEqual(change(moved, suspended, { startTime }), [at("")]);
  const conditions = [{ type: "Suspended", status: "True" }];
  assert.deepEqual(change(moved, suspended, { startTime, conditions }), []);
  assert.deepEqual(change(moved, suspended, { startTime, conditions, active: 1 }), [at("")]);
});

const T0 = "2026-01-01T00:00:00Z";
const T1 = "2026-01-01T00:01:00Z";
const conditions = (...types: readonly string[]): JsonObject => ({
  conditions: types.map((type) => ({ type, status: "True" })),
});
const C = "status.conditions: Invalid value";

/** The status that is written, the one before, the job, and what is wrong. */
const STATUSES: readonly (readonly [JsonObject, JsonObject, JsonObject, readonly string[]])[] = [
  [{ startTime: T0, completionTime: T1, ...conditions("SuccessCriteriaMet", "Complete") }, {}, {}, []],
  [
    conditions("Complete"),
    {},
    {},
    [
      "status.completionTime: Required value: completionTime is required for Complete jobs",
      `${C}: cannot set Complete=True condition without the SuccessCriteriaMet=true condition`,
      "status.startTime: Required value: startTime is required for finished job",
    ],
  ],
  [
    { startTime: T0, active: 1, terminating: 1, ready: 2, ...conditions("Failed") },
    {},
    {},
    [
      `${C}: cannot set Failed=True condition without the FailureTarget=true condition`,
      "status.active: Invalid value: 1: active>0 is invalid for finished job",
      "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job",
      "status.ready: Invalid value: 2: cannot set more ready pods than active",
    ],
  ],
  [
    { startTime: T1, completionTime: T0, ...conditions("SuccessCriteriaMet", "Complete", "Failed", "FailureTarget") },
    {},
    {},
    [
      `${C}: cannot set Complete=True and Failed=true conditions`,
      `${C}: cannot set Complete=True and FailureTarget=true conditions`,
      `status.completionTime: Invalid value: "${T0}": must be equal to or after \`startTime\``,
      `${C}: cannot set SuccessCriteriaMet=True and Failed=true conditions`,
      `${C}: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions`,
    ],
  ],
  [
    { uncountedTerminatedPods: { succeeded: ["a", ""], failed: ["a"] }, completionTime: T0 },
    {},
    {},
    [
      'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
      'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
      `status.completionTime: Invalid value: "${T0}": cannot set completionTime when there is no Complete=True condition`,
    ],
  ],
  [
    { completedIndexes: "0-2", failedIndexes: "2" },
    {},
    { ...INDEXED, backoffLimitPerIndex: 1 },
    ['status.failedIndexes: Invalid value: "2": failedIndexes and completedIndexes overlap at index: 2'],
  ],
  [
    { completedIndexes: "9", failedIndexes: "1" },
    {},
    INDEXED,
    [
      'status.completedIndexes: Invalid value: "9": error parsing completedIndexes: too large index: "9"',
      'status.failedIndexes: Invalid value: "1": cannot set non-null failedIndexes when backoffLimitPerIndex is null',
    ],
  ],
  [
    { completedIndexes: "0" },
    {},
    {},
    [
      'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
    ],
  ],
  // What was wrong before may stay so while something else changes.
  [{ completedIndexes: "9", active: 1 }, { completedIndexes: "9" }, INDEXED, []],
  [
    { failed: 1, succeeded: 1 },
    { failed: 2, succeeded: 2, startTime: T0, ...conditions("FailureTarget", "SuccessCriteriaMet") },
    {},
    [
      `${C}: cannot disable the terminal FailureTarget=True condition`,
      "status.failed: Invalid value: 1: cannot decrease the failed counter",
      "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter",
      "status.startTime: Invalid value: null: field is immutable for unsuspended job once set",
      `${C}: cannot disable the SuccessCriteriaMet=True condition`,
    ],
  ],
  [{}, { startTime: T0 }, { suspend: true }, []],
];

for (const [status, before, spec, problems] of STATUSES) {
  test(`a job's status ${JSON.stringify(status).slice(0, 80)} after ${JSON.stringify(before).slice(0, 40)}`, () =>
    assert.deepEqual(problemsOf("jobs", job(spec, { status }), job(spec, { status: before }), "status"), problems));
}

const cron = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  spec: { schedule: "0 0 * * *", jobTemplate: { spec: { template: template() } }, ...spec },
  ...more,
});
const S = "spec.schedule: Invalid value";

/** A schedule, and what is wrong with it. */
const SCHEDULES: readonly (readonly [string, string])[] = [
  ["*/5,7-9 0 1 JAN mon-fri", ""],
  ["@every 1h30m", ""],
  ["? ? ? ? ?", ""],
  ["60 * * * *", "end of range (60) above maximum (59): 60"],
  ["* 24 * * *", "end of range (24) above maximum (23): 24"],
  ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
  ["* * * * 7", "end of range (7) above maximum (6): 7"],
  ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
  ["*/0 * * * *", "step of range should be a positive number: */0"],
  ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
  ["1/2/3 * * * *", "too many slashes: 1/2/3"],
  ["error", "expected exactly 5 fields, found 1: [error]"],
  ["* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"],
  ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  ["-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
  ["@sometimes", "unrecognized descriptor: @sometimes"],
  ["@every x", 'failed to parse duration @every x: time: invalid duration "x"'],
];

for (const [schedule, why] of SCHEDULES) {
  test(`the schedule ${schedule} ${why === "" ? "is one" : "is none"}`, () => {
    const text = JSON.stringify(schedule);
    assert.deepEqual(problemsOf("cronjobs", cron({ schedule })), why === "" ? [] : [`${S}: ${text}: ${why}`]);
  });
}

test("a cron job's zone is a field of its own", () => {
  const zoned = "TZ=Europe/Berlin 0 0 * * *";
  const instead = `${S}: ${JSON.stringify(zoned)}: cannot use TZ or CRON_TZ in schedule, use timeZone field instead`;
  assert.deepEqual(problemsOf("cronjobs", cron({ schedule: zoned })), [instead]);
  assert.deepEqual(problemsOf("cronjobs", cron({ schedule: zoned }), cron()), [instead]);
  assert.deepEqual(problemsOf("cronjobs", cron({ schedule: zoned, suspend: true }), cron({ schedule: zoned })), []);
  assert.deepEqual(problemsOf("cronjobs", cron({ schedule: zoned, timeZone: "UTC" }), cron({ schedule: zoned })), [
    `${S}: ${JSON.stringify(zoned)}: cannot use both timeZone field and TZ or CRON_TZ in schedule`,
  ]);
  assert.deepEqual(
    problemsOf("cronjobs", cron({ schedule: "CRON_TZ=Mars 0 0 * * *" }))[0],
    `${S}: "CRON_TZ=Mars 0 0 * * *": provided bad location Mars: unknown time zone Mars`,
  );
  assert.deepEqual(
    problemsOf("cronjobs", cron({ schedule: "TZ=0" }))[0],
    `${S}: "TZ=0": invalid schedule format: runtime error: slice bounds out of range [:-1]`,
  );
  const zones: readonly (readonly [string, string | undefined])[] = [
    ["Europe/Berlin", undefined],
    ["Asia/Kolkata", undefined],
    ["Etc/GMT+5", undefined],
    ["UTC", undefined],
    ["", "timeZone must be nil or non-empty string"],
    ["Local", "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"],
    ["europe/berlin", "unknown time zone europe/berlin"],
    ["CST", "unknown time zone CST"],
    ["+01:00", "unknown time zone +01:00"],
    ["../Berlin", "unknown time zone ../Berlin"],
    ["Europe/Berl in", "unknown time zone Europe/Berl in"],
  ];
  for (const [timeZone, why] of zones) {
    const want = why === undefined ? [] : [`spec.timeZone: Invalid value: ${JSON.stringify(timeZone)}: ${why}`];
    assert.deepEqual(problemsOf("cronjobs", cron({ timeZone })), want);
    assert.deepEqual(problemsOf("cronjobs", cron({ timeZone, suspend: true }), cron({ timeZone })), []);
  }
});

test("a cron job's jobs are checked before there is one", () => {
  const J = "spec.jobTemplate.spec";
  const policy = {
    podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "a", status: "True" }] }] },
  };
  const defaulted = objectOf(kindOf("cronjobs"), cron({ jobTemplate: { spec: { template: template(), ...policy } } }));
  const own = valueAt(defaulted, "spec", "jobTemplate", "spec");
  assert.deepEqual(Object.keys(isObject(own) ? own : {}).toSorted(), ["podFailurePolicy", "template"]);
  assert.deepEqual(problemsOf("cronjobs", defaulted), []);
  const of = (spec: JsonObject) =>
    problemsOf("cronjobs", cron({ jobTemplate: { spec: { template: template(), ...spec } } }));
  assert.deepEqual(of({ selector: { matchLabels: LABELS }, manualSelector: true, backoffLimit: -1 }), [
    `${J}.backoffLimit: Invalid value: -1: must be greater than or equal to 0`,
    `${J}.selector: Invalid value: {"matchLabels":{"app":"a"}}: \`selector\` will be auto-generated`,
    `${J}.manualSelector: Unsupported value: true: supported values: "nil", "false"`,
  ]);
  assert.deepEqual(
    problemsOf("cronjobs", {
      metadata: { name: "a".repeat(53) },
      spec: { concurrencyPolicy: "Maybe", startingDeadlineSeconds: -1, failedJobsHistoryLimit: -1 },
    }),
    [
      "spec.schedule: Required value",
      "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
      'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
      `${J}.template.spec.containers: Required value`,
      `${J}.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`,
      "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
      `metadata.name: Invalid value: "${"a".repeat(53)}": must be no more than 52 characters`,
    ],
  );
});

test("writers are warned of names, of more indexes than can be told, and of zones in schedules", () => {
  const name =
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]";
  const large = (at: string): string =>
    `${at}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`;
  const many = { completionMode: "Indexed", completions: 100_001, parallelism: 10_001 };
  const metadata = { name: "a.b" };
  assert.deepEqual(warningsOf("jobs", job(many, { metadata })), [name, large("spec")]);
  const jobTemplate = { spec: { template: template(), ...many } };
  assert.deepEqual(warningsOf("cronjobs", cron({ jobTemplate }, { metadata })), [name, large("spec.jobTemplate.spec")]);
  const zoned = cron({ schedule: "TZ=UTC 0 0 * * *" });
  assert.deepEqual(warningsOf("cronjobs", deepCopy(zoned), zoned), [
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
  ]);
});
