import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { listAt, valueAt } from "../../object/kube-object.ts";
import { checkConditions } from "../../validation/conditions.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { percent } from "../../validation/names.ts";
import { checkSelector } from "../../validation/selectors.ts";

/** A number of pods, or a part of them. */
export function checkCountOrPercent(found: Findings, field: string, value: Json | undefined): void {
  if (typeof value === "string") found.name(percent, field, value);
  else found.atLeastZero(field, value);
}

export function checkAtMostAll(found: Findings, field: string, value: Json | undefined): void {
  if (typeof value === "string" && percent(value).length === 0 && Number(value.slice(0, -1)) > 100)
    found.invalid(field, value, "must not be greater than 100%");
}

/** `policy/v1.PodDisruptionBudget` */
export const disruptionBudget: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }) =>
    findingsOf((found) => {
      const fields = ["minAvailable", "maxUnavailable"];
      const given = fields.filter((field) => (valueAt(spec, field) ?? null) !== null);
      if (given.length === 2) found.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
      for (const field of given) {
        checkCountOrPercent(found, `spec.${field}`, valueAt(spec, field));
        checkAtMostAll(found, `spec.${field}`, valueAt(spec, field));
      }
      const selector = valueAt(spec, "selector");
      if (isObject(selector)) checkSelector(found, "spec.selector", selector);
      const policy = valueAt(spec, "unhealthyPodEvictionPolicy");
      found.oneOf("spec.unhealthyPodEvictionPolicy", policy, ["AlwaysAllow", "IfHealthyBudget"]);
    }),
  validateStatus: ({ status }) =>
    findingsOf((found) => {
      checkConditions(found, "status.conditions", listAt(status, "conditions"));
      for (const field of ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"])
        found.atLeastZero(`status.${field}`, valueAt(status, field));
    }),
};
