import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, qualifiedName } from "../../validation/names.ts";
import { checkNodeSelector, checkNodeTerm } from "../../validation/node-selectors.ts";
import { checkSelector } from "../../validation/selectors.ts";

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

/** Keys whose values are the pod's own. */
function checkLabelKeys(found: Findings, at: string, value: Json): void {
  const [selector, matched, mismatched] = [
    valueAt(value, "labelSelector"),
    listAt(value, "matchLabelKeys").map((key) => textAt(key)),
    listAt(value, "mismatchLabelKeys").map((key) => textAt(key)),
  ];
  for (const [field, keys] of [
    ["matchLabelKeys", matched],
    ["mismatchLabelKeys", mismatched],
  ] as const) {
    if (keys.length > 0 && !isObject(selector))
      found.forbidden(`${at}.${field}`, "must not be specified when labelSelector is not set");
    else for (const [index, key] of keys.entries()) found.name(qualifiedName, `${at}.${field}[${index}]`, key);
  }
  const known = new Set(Object.keys((valueAt(selector, "matchLabels") ?? {}) as object));
  const places = new Map(matched.map((key, index) => [key, index]));
  for (const expression of listAt(selector, "matchExpressions")) {
    const key = textAt(expression, "key");
    const index = places.get(key);
    if (index !== undefined && known.has(key))
      found.invalid(`${at}[${index}]`, key, "exists in both matchLabelKeys and labelSelector");
    known.add(key);
  }
  const other = new Set(mismatched);
  for (const [index, key] of matched.entries()) {
    if (other.has(key))
      found.invalid(`${at}.matchLabelKeys[${index}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys");
  }
}

function checkPodTerm(found: Findings, at: string, term: Json | undefined): void {
  for (const field of ["labelSelector", "namespaceSelector"])
    checkSelector(found, `${at}.${field}`, valueAt(term, field));
  for (const name of listAt(term, "namespaces")) found.name(dnsLabel, `${at}.namespace`, textAt(name));
  checkLabelKeys(found, at, term ?? {});
  const key = textAt(term, "topologyKey");
  if (key === "") found.required(`${at}.topologyKey`, "can not be empty");
  found.name(qualifiedName, `${at}.topologyKey`, key);
}

function checkWeight(found: Findings, at: string, term: Json): void {
  const weight = Number(valueAt(term, "weight") ?? 0);
  if (weight <= 0 || weight > 100) found.invalid(`${at}.weight`, weight, "must be in the range 1-100");
}

/** `core/v1.Affinity` */
export function checkAffinity(found: Findings, at: string, affinity: Json | undefined): void {
  const node = valueAt(affinity, "nodeAffinity");
  const required = valueAt(node, REQUIRED);
  if (isObject(required)) checkNodeSelector(found, `${at}.nodeAffinity.${REQUIRED}`, required);
  for (const [index, term] of listAt(node, PREFERRED).entries()) {
    const here = `${at}.nodeAffinity.${PREFERRED}[${index}]`;
    checkWeight(found, here, term);
    checkNodeTerm(found, `${here}.preference`, valueAt(term, "preference"), true);
  }
  for (const field of ["podAffinity", "podAntiAffinity"]) {
    for (const [index, term] of listAt(affinity, field, REQUIRED).entries())
      checkPodTerm(found, `${at}.${field}.${REQUIRED}[${index}]`, term);
    for (const [index, term] of listAt(affinity, field, PREFERRED).entries()) {
      const here = `${at}.${field}.${PREFERRED}[${index}]`;
      checkWeight(found, here, term);
      checkPodTerm(found, `${here}.podAffinityTerm`, valueAt(term, "podAffinityTerm"));
    }
  }
}

const POLICIES = ["Honor", "Ignore"];

/** `core/v1.TopologySpreadConstraint`, a list of them. */
export function checkSpread(found: Findings, at: string, constraints: readonly Json[]): void {
  const pairs = constraints.map((one) => `{${textAt(one, "topologyKey")}, ${textAt(one, "whenUnsatisfiable")}}`);
  const last = new Map(pairs.map((pair, index) => [pair, index]));
  for (const [index, constraint] of constraints.entries()) {
    const here = `${at}[${index}]`;
    const [key, action] = [textAt(constraint, "topologyKey"), textAt(constraint, "whenUnsatisfiable")];
    found.positive(`${here}.maxSkew`, valueAt(constraint, "maxSkew") ?? 0);
    if (key === "") found.required(`${here}.topologyKey`, "can not be empty");
    found.oneOf(`${here}.whenUnsatisfiable`, action, ["DoNotSchedule", "ScheduleAnyway"]);
    const pair = pairs[index] ?? "";
    if (last.get(pair) !== index) found.duplicate(`${here}.{topologyKey, whenUnsatisfiable}`, pair);
    const domains = valueAt(constraint, "minDomains");
    if (typeof domains === "number") {
      found.positive(`${here}.minDomains`, domains);
      if (action !== "DoNotSchedule") {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
        found.invalid(`${here}.minDomains`, domains, why);
      }
    }
    for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"])
      found.oneOf(`${here}.${field}`, valueAt(constraint, field), POLICIES);
    checkLabelKeys(found, here, constraint);
    checkSelector(found, `${here}.labelSelector`, valueAt(constraint, "labelSelector"));
  }
}
