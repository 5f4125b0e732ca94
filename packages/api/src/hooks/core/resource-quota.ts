import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { formatQuantity, parseQuantity } from "../../object/quantity.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkQuotaResource, checkResourceList, isStandardQuota, resourcesOf } from "../../validation/resources.ts";

const COMPUTE = new Set(["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"]);
const ofPods = (resource: string): boolean => resource === "pods" || COMPUTE.has(resource);

/** Which resources a scope can be said of. */
const SCOPES: Readonly<Record<string, (resource: string) => boolean>> = {
  BestEffort: (resource) => resource === "pods",
  CrossNamespacePodAffinity: ofPods,
  NotBestEffort: ofPods,
  NotTerminating: ofPods,
  PriorityClass: ofPods,
  Terminating: ofPods,
  VolumeAttributesClass: (resource) => resource === "persistentvolumeclaims" || resource === "requests.storage",
};
/** Of these there is nothing to select but whether they are so. */
const PLAIN = new Set(["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"]);
const PAIRS = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

const limitsOf = (spec: Json | undefined): readonly string[] =>
  resourcesOf(valueAt(spec, "hard"))
    .map(([name]) => name)
    .filter(isStandardQuota);

const fits = (scope: string, resource: string): boolean =>
  !Object.hasOwn(SCOPES, scope) || SCOPES[scope]?.(resource) === true;

function checkPairs(found: Findings, field: string, scopes: readonly string[], shown: Json): void {
  for (const pair of PAIRS)
    if (pair.every((one) => scopes.includes(one))) found.invalid(field, shown, "conflicting scopes");
}

function checkScopes(found: Findings, spec: Json | undefined): void {
  const scopes = listAt(spec, "scopes").map((scope) => textAt(scope));
  for (const scope of scopes) {
    if (!Object.hasOwn(SCOPES, scope)) found.invalid("spec.scopes", scopes, "unsupported scope");
    for (const resource of limitsOf(spec))
      if (!fits(scope, resource)) found.invalid("spec.scopes", scopes, "unsupported scope applied to resource");
  }
  checkPairs(found, "spec.scopes", scopes, scopes);
}

function checkScopeSelector(found: Findings, spec: Json | undefined): void {
  const selector = valueAt(spec, "scopeSelector");
  if (!isObject(selector)) return;
  const at = "spec.scopeSelector.matchExpressions";
  const requirements = listAt(selector, "matchExpressions");
  for (const one of requirements) {
    const [scope, operator] = [textAt(one, "scopeName"), textAt(one, "operator")];
    const values = [...listAt(one, "values")];
    if (!Object.hasOwn(SCOPES, scope)) found.invalid(`${at}.scopeName`, scope, "unsupported scope");
    for (const resource of limitsOf(spec))
      if (!fits(scope, resource)) found.invalid(at, selector, "unsupported scope applied to resource");
    if (PLAIN.has(scope) && operator !== "Exists") {
      const why =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      found.invalid(`${at}.operator`, operator, why);
    }
    checkValues(found, at, operator, values);
  }
  const scopes = requirements.map((one) => textAt(one, "scopeName"));
  checkPairs(found, at, scopes, valueAt(spec, "scopes") ?? null);
}

function checkValues(found: Findings, at: string, operator: string, values: Json[]): void {
  if (operator === "In" || operator === "NotIn") {
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    if (values.length === 0) found.required(`${at}.values`, why);
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    if (values.length > 0) found.invalid(`${at}.values`, values, why);
  } else found.invalid(`${at}.operator`, operator, "not a valid selector operator");
}

function checkSame(found: Findings, spec: Json | undefined, old: KubeObject): void {
  const [now, before] = [listAt(spec, "scopes"), listAt(old, "spec", "scopes")].map((list) => new Set(list));
  if (now?.symmetricDifference(before ?? new Set()).size === 0) return;
  found.invalid("spec.scopes", valueAt(spec, "scopes") ?? null, "field is immutable");
}

const PAIRED = ["cpu", "memory", "storage", "ephemeral-storage"];

/** More may be asked for than may ever be used. */
function warnings({ spec }: KubeObject): readonly string[] {
  const hard = valueAt(spec, "hard");
  return PAIRED.flatMap((name) => {
    const plain = name === "cpu" || name === "memory" ? [name] : [];
    const asked = [`requests.${name}`, ...plain].find((one) => valueAt(hard, one) !== undefined);
    if (asked === undefined) return [];
    const limit = `limits.${name}`;
    const [request, most] = [parseQuantity(textAt(hard, asked)), parseQuantity(textAt(hard, limit))];
    return request === undefined || most === undefined || request.nano <= most.nano
      ? []
      : [`ResourceQuota ${asked} (${formatQuantity(request)}) should be less than ${limit} (${formatQuantity(most)})`];
  });
}

/** `core/v1.ResourceQuota` */
export const resourceQuota: KindHooks = {
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      checkResourceList(found, "spec.hard", valueAt(spec, "hard"), checkQuotaResource);
      checkScopes(found, spec);
      checkScopeSelector(found, spec);
      if (old !== undefined) checkSame(found, spec, old);
    }),
  validateStatus: ({ status }) =>
    findingsOf((found) => {
      for (const field of ["hard", "used"])
        checkResourceList(found, `status.${field}`, valueAt(status, field), checkQuotaResource);
    }),
  warnings,
};
