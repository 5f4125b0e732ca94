import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../object/json.ts";
import { valueAt } from "../../object/kube-object.ts";
import { kindOf, objectOf, problemsOf } from "../../testing/problems-of.ts";

const KIND = "horizontalpodautoscalers.autoscaling/v2";
const OLD = "horizontalpodautoscalers.autoscaling/v1";
const TARGET = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const scaled = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  spec: { scaleTargetRef: TARGET, maxReplicas: 3, ...spec },
  ...more,
});
const wrong = (spec: JsonObject, old?: JsonObject): readonly string[] =>
  problemsOf(KIND, scaled(spec), old === undefined ? undefined : scaled(old));

test("there are as many as are wanted, and at least one", () => {
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(problemsOf(KIND, { spec: {} }), [
    "spec.maxReplicas: Required value: must be set and greater than 0",
    "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
    "spec.scaleTargetRef.kind: Required value",
    "spec.scaleTargetRef.name: Required value",
    'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
  ]);
  assert.deepEqual(wrong({ maxReplicas: -1, minReplicas: 2 }), [
    "spec.maxReplicas: Invalid value: -1: must be greater than or equal to 1",
    "spec.maxReplicas: Invalid value: -1: must be greater than or equal to `minReplicas`",
  ]);
  const none = [
    "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
    "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas",
  ];
  assert.deepEqual(wrong({ minReplicas: 0 }), none);
  assert.deepEqual(wrong({ minReplicas: 0, maxReplicas: 5 }, { minReplicas: 0 }), []);
});

test("what is scaled has a group, unless it is of the first one or was so before", () => {
  const to = (apiVersion: string, kind = "Deployment"): JsonObject => ({
    scaleTargetRef: { apiVersion, kind, name: "a" },
  });
  const field = "spec.scaleTargetRef.apiVersion";
  assert.deepEqual(wrong(to("v1")), [`${field}: Invalid value: "v1": apiVersion must specify API group`]);
  assert.deepEqual(wrong(to("a/b/c")), [`${field}: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c`]);
  assert.deepEqual(wrong(to("v1", "ReplicationController")), []);
  assert.deepEqual(wrong({ ...to("v1"), maxReplicas: 7 }, to("v1")), []);
  assert.deepEqual(wrong(to("v1", "a/b")), [
    `spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain '/'`,
    `${field}: Invalid value: "v1": apiVersion must specify API group`,
  ]);
});

const M = "spec.metrics[0]";
const value = { type: "Value", value: "1" };
const average = { type: "AverageValue", averageValue: "1" };
const share = { type: "Utilization", averageUtilization: 50 };
const metric = { name: "m" };
const METRICS: readonly (readonly [JsonObject, readonly string[]])[] = [
  [{ type: "Resource", resource: { name: "cpu", target: share } }, []],
  [{ type: "Pods", pods: { metric, target: average } }, []],
  [{ type: "External", external: { metric, target: value } }, []],
  [
    {
      type: "Object",
      object: { metric, target: value, describedObject: { apiVersion: "v1", kind: "Service", name: "s" } },
    },
    [],
  ],
  [{ type: "ContainerResource", containerResource: { name: "cpu", container: "c", target: share } }, []],
  [
    {},
    [
      `${M}.type: Required value: must specify a metric source type`,
      `${M}.type: Unsupported value: "": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"`,
    ],
  ],
  [
    { type: "Pods", resource: { name: "cpu", target: share } },
    [`${M}.pods: Required value: must populate information for the given metric source`],
  ],
  [
    { type: "Pods", pods: { metric, target: average }, external: { metric, target: value } },
    [`${M}.external: Forbidden: must populate the given metric source only`],
  ],
  [
    { type: "Pods", pods: { metric: { name: "a/b" }, target: { type: "Much", value: "-1" } } },
    [
      `${M}.pods.metric.name: Invalid value: "a/b": may not contain '/'`,
      `${M}.pods.target.type: Invalid value: "Much": must be either Utilization, Value, or AverageValue`,
      `${M}.pods.target.value: Invalid value: "-1": must be positive`,
      `${M}.pods.target.averageValue: Required value: must specify a positive target averageValue`,
    ],
  ],
  [
    { type: "External", external: { metric: {}, target: { type: "Value", value: "1", averageValue: "2" } } },
    [
      `${M}.external.metric.name: Required value: must specify a metric name`,
      `${M}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target`,
    ],
  ],
  [
    { type: "External", external: { metric, target: { type: "Value" } } },
    [
      `${M}.external.target.averageValue: Required value: must set either a target value for metric or a per-pod target`,
    ],
  ],
  [
    { type: "Object", object: { metric, target: { type: "Value" }, describedObject: { kind: "Service" } } },
    [
      `${M}.object.describedObject.name: Required value`,
      `${M}.object.target.averageValue: Required value: must set either a target value or averageValue`,
    ],
  ],
  [
    { type: "Resource", resource: { name: "", target: { type: "Utilization" } } },
    [
      `${M}.resource.name: Required value: must specify a resource name`,
      `${M}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization`,
    ],
  ],
  [
    {
      type: "ContainerResource",
      containerResource: {
        name: "disk",
        container: "C",
        target: { ...share, averageUtilization: 0, averageValue: "1" },
      },
    },
    [
      `${M}.containerResource.name: Invalid value: "disk": must be a standard resource type or fully qualified`,
      `${M}.containerResource.name: Invalid value: "disk": must be a standard resource for containers`,
      `${M}.containerResource.container: Invalid value: "C": …`,
      `${M}.containerResource.target.averageUtilization: Invalid value: 0: must be greater than 0`,
      `${M}.containerResource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization`,
    ],
  ],
];

for (const [one, want] of METRICS) {
  test(`the metric ${JSON.stringify(one).slice(0, 100)}`, () => {
    const found = wrong({ metrics: [one] }).map((line) => line.replace(/a lowercase RFC 1123.*/, "…"));
    assert.deepEqual(found, want);
  });
}

test("behavior is filled in, and has its limits", () => {
  const policies = [{ type: "Percent", value: 100, periodSeconds: 15 }];
  const behavior = { scaleDown: { stabilizationWindowSeconds: 60 } };
  assert.deepEqual(wrong({ behavior }), []);
  const kept: Json | undefined = valueAt(objectOf(kindOf(KIND), scaled({ behavior })), "spec", "behavior");
  assert.deepEqual(kept, {
    scaleDown: { stabilizationWindowSeconds: 60, selectPolicy: "Max", policies },
    scaleUp: {
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, ...policies],
    },
  });
  const at = (scaleUp: JsonObject) => wrong({ behavior: { scaleUp } });
  const U = "spec.behavior.scaleUp";
  assert.deepEqual(at({ stabilizationWindowSeconds: -1, selectPolicy: "Mean", policies: [], tolerance: "-1" }), [
    `${U}.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero`,
    `${U}.selectPolicy: Unsupported value: "Mean": supported values: "Disabled", "Max", "Min"`,
    `${U}.policies: Required value: must specify at least one Policy`,
    `${U}.tolerance: Invalid value: "-1": must be greater than or equal to 0`,
  ]);
  assert.deepEqual(
    at({ stabilizationWindowSeconds: 3601, policies: [{ type: "Few", value: 0, periodSeconds: 1801 }] }),
    [
      `${U}.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600`,
      `${U}.policies[0].type: Unsupported value: "Few": supported values: "Percent", "Pods"`,
      `${U}.policies[0].value: Invalid value: 0: must be greater than zero`,
      `${U}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800`,
    ],
  );
});

test("the first version is checked by what its annotations say, too", () => {
  const found = (annotations: JsonObject, spec: JsonObject = {}): readonly string[] =>
    problemsOf(OLD, scaled(spec, { metadata: { annotations } }));
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({}, { targetCPUUtilizationPercentage: 0 }), [
    `${M}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0`,
  ]);
  const pods = JSON.stringify([{ type: "Pods", pods: { metricName: "", targetAverageValue: "0" } }]);
  assert.deepEqual(found({ "autoscaling.alpha.kubernetes.io/metrics": pods }), [
    `${M}.pods.metric.name: Required value: must specify a metric name`,
    `${M}.pods.target.averageValue: Invalid value: "0": must be positive`,
  ]);
  const behavior = JSON.stringify({ ScaleUp: { SelectPolicy: "Max" } });
  assert.deepEqual(found({ "autoscaling.alpha.kubernetes.io/behavior": behavior }), [
    "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
  ]);
});

test("a status counts from zero", () =>
  assert.deepEqual(
    problemsOf(KIND, scaled({}, { status: { currentReplicas: -1, desiredReplicas: -2 } }), scaled(), "status"),
    [
      "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0",
      "status.desiredReplicas: Invalid value: -2: must be greater than or equal to 0",
    ],
  ));
