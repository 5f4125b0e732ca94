import { autoscalerToV2 } from "../../conversion/autoscalers.ts";
import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { FieldError } from "../../status/field-error.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkNonNegative } from "../../validation/resources.ts";
import { checkMetrics, checkReference, type ReferenceOptions, versionProblem } from "./metric-rules.ts";

const LONGEST = { period: 1800, window: 3600 } as const;
const DEFAULT_RULES: Readonly<Record<string, JsonObject>> = {
  scaleDown: { selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] },
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: "Max",
    policies: [
      { type: "Pods", value: 4, periodSeconds: 15 },
      { type: "Percent", value: 100, periodSeconds: 15 },
    ],
  },
};

function checkPolicy(found: Findings, at: string, policy: Json): void {
  found.oneOf(`${at}.type`, textAt(policy, "type"), ["Percent", "Pods"]);
  const [value, period] = [Number(valueAt(policy, "value") ?? 0), Number(valueAt(policy, "periodSeconds") ?? 0)];
  found.positive(`${at}.value`, value);
  found.positive(`${at}.periodSeconds`, period);
  if (period > LONGEST.period)
    found.invalid(`${at}.periodSeconds`, period, `must be less than or equal to ${LONGEST.period}`);
}

/** `autoscaling/v2.HPAScalingRules` */
function checkRules(found: Findings, at: string, rules: Json | undefined): void {
  if (!isObject(rules)) return;
  const { stabilizationWindowSeconds: seconds, selectPolicy, tolerance } = rules;
  const field = `${at}.stabilizationWindowSeconds`;
  if (typeof seconds === "number" && seconds < 0)
    found.invalid(field, seconds, "must be greater than or equal to zero");
  if (typeof seconds === "number" && seconds > LONGEST.window)
    found.invalid(field, seconds, `must be less than or equal to ${LONGEST.window}`);
  found.oneOf(`${at}.selectPolicy`, selectPolicy, ["Disabled", "Max", "Min"]);
  const policies = listAt(rules, "policies");
  if (policies.length === 0) found.required(`${at}.policies`, "must specify at least one Policy");
  for (const [index, policy] of policies.entries()) checkPolicy(found, `${at}.policies[${index}]`, policy);
  checkNonNegative(found, `${at}.tolerance`, tolerance);
}

/** What cannot be so in a new one may stay where it was so before. */
function optionsOf(
  object: KubeObject,
  old: KubeObject | undefined,
): { readonly target: ReferenceOptions; readonly described: ReferenceOptions } {
  const at = (one: KubeObject | undefined, field: string): string => textAt(one, "spec", "scaleTargetRef", field);
  const isSame = old !== undefined && ["apiVersion", "kind"].every((field) => at(object, field) === at(old, field));
  const core: ReferenceOptions = { emptyGroup: true, anyVersion: false };
  const wasWrong = listAt(old, "spec", "metrics").some(
    (metric) =>
      textAt(metric, "type") === "Object" &&
      isObject(valueAt(metric, "object")) &&
      versionProblem(valueAt(metric, "object", "describedObject"), core) !== undefined,
  );
  return {
    target: { anyVersion: isSame, emptyGroup: at(object, "kind") === "ReplicationController" },
    described: { ...core, anyVersion: wasWrong },
  };
}

function validate(object: KubeObject, old?: KubeObject): readonly FieldError[] {
  const { spec } = object;
  return findingsOf((found) => {
    const [least, most] = [valueAt(spec, "minReplicas"), Number(valueAt(spec, "maxReplicas") ?? 0)];
    const lowest = old !== undefined && valueAt(old, "spec", "minReplicas") === 0 ? 0 : 1;
    if (typeof least === "number" && least < lowest)
      found.invalid("spec.minReplicas", least, `must be greater than or equal to ${lowest}`);
    if (most === 0) found.required("spec.maxReplicas", "must be set and greater than 0");
    else if (most < 0) found.invalid("spec.maxReplicas", most, "must be greater than or equal to 1");
    if (typeof least === "number" && most < least)
      found.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`");
    const { target, described } = optionsOf(object, old);
    checkReference(found, "spec.scaleTargetRef", valueAt(spec, "scaleTargetRef"), target);
    checkMetrics(found, "spec.metrics", listAt(spec, "metrics"), { ...described, toZero: least === 0 });
    for (const field of ["scaleUp", "scaleDown"])
      checkRules(found, `spec.behavior.${field}`, valueAt(spec, "behavior", field));
  });
}

const validateStatus = ({ status }: KubeObject): readonly FieldError[] =>
  findingsOf((found) => {
    for (const field of ["currentReplicas", "desiredReplicas"])
      found.atLeastZero(`status.${field}`, valueAt(status, field));
  });

/** `autoscaling/v2.HorizontalPodAutoscaler` */
export const autoscaler: KindHooks = {
  validatesAll: true,
  applyDefaults({ spec }) {
    if (!isObject(spec)) return;
    if (listAt(spec, "metrics").length === 0) {
      spec["metrics"] = [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
      ];
    }
    const { behavior } = spec;
    if (!isObject(behavior)) return;
    for (const [field, defaults] of Object.entries(DEFAULT_RULES)) {
      const own = behavior[field];
      behavior[field] = { ...structuredClone(defaults), ...(isObject(own) ? own : {}) };
    }
  },
  validate,
  validateStatus,
};

/** `autoscaling/v1.HorizontalPodAutoscaler`: the rest of it is in annotations, and it is checked as a whole. */
export const oldAutoscaler: KindHooks = {
  validatesAll: true,
  validate: (object, old) => validate(autoscalerToV2(object), old === undefined ? undefined : autoscalerToV2(old)),
  validateStatus,
};
