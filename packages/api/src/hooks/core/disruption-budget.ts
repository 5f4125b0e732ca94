import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { percent, qualifiedName } from "../../validation/names.ts";
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

const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const REASON_HELP =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/** `meta/v1.Condition`, a list of them. */
export function checkConditions(found: Findings, field: string, conditions: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, condition] of conditions.entries()) {
    const at = `${field}[${index}]`;
    const [type, reason] = [textAt(condition, "type"), textAt(condition, "reason")];
    if (seen.has(type)) found.duplicate(`${at}.type`, type);
    seen.add(type);
    found.name(qualifiedName, `${at}.type`, type);
    found.oneOf(`${at}.status`, textAt(condition, "status"), ["False", "True", "Unknown"]);
    const observed = valueAt(condition, "observedGeneration");
    if (typeof observed === "number" && observed < 0)
      found.invalid(`${at}.observedGeneration`, observed, "must be greater than or equal to zero");
    if (textAt(condition, "lastTransitionTime") === "") found.required(`${at}.lastTransitionTime`);
    if (reason === "") found.required(`${at}.reason`);
    else if (!REASON.test(reason)) found.invalid(`${at}.reason`, reason, REASON_HELP);
    if (reason.length > 1024) found.tooLong(`${at}.reason`, 1024);
    if (textAt(condition, "message").length > 32 * 1024) found.tooLong(`${at}.message`, 32 * 1024);
  }
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
