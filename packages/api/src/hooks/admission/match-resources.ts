import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { pathSegment, qualifiedName } from "../../validation/names.ts";
import { checkSelector } from "../../validation/selectors.ts";
import { checkExpression, type Environment, GIVES } from "./expressions.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const MUTATING_OPERATIONS = OPERATIONS.filter((one) => one !== "DELETE");
const SCOPES = ["*", "Cluster", "Namespaced"];
const MOST_CONDITIONS = 64;

const textsAt = (value: Json | undefined, field: string): string[] => listAt(value, field).map((one) => textAt(one));

function checkResources(found: Findings, at: string, resources: string[]): void {
  if (resources.length === 0) found.required(at);
  const [wholes, parts] = [new Set<string>(), new Set<string>()];
  let plain = false;
  for (const [index, one] of resources.entries()) {
    const here = `${at}[${index}]`;
    if (one === "") {
      found.required(here);
      continue;
    }
    const slash = one.indexOf("/");
    if (slash < 0) {
      plain = one !== "*";
      continue;
    }
    const [resource, part] = [one.slice(0, slash), one.slice(slash + 1)];
    if (wholes.has(resource)) found.invalid(here, one, `if '${resource}/*' is present, must not specify ${one}`);
    if (parts.has(part)) found.invalid(here, one, `if '*/${part}' is present, must not specify ${one}`);
    if (part === "*") wholes.add(resource);
    if (resource === "*") parts.add(part);
  }
  if (resources.length > 1 && resources.includes("*/*"))
    found.invalid(at, resources, "if '*/*' is present, must not specify other resources");
  if (resources.includes("*") && plain)
    found.invalid(at, resources, "if '*' is present, must not specify other resources without subresources");
}

/** `admissionregistration/v1.RuleWithOperations` */
export function checkRule(found: Findings, at: string, rule: Json): void {
  const alone = (field: string, others: string): string[] => {
    const values = textsAt(rule, field);
    if (values.length === 0) found.required(`${at}.${field}`);
    if (values.length > 1 && values.includes("*"))
      found.invalid(`${at}.${field}`, values, `if '*' is present, must not specify other ${others}`);
    return values;
  };
  for (const [index, operation] of alone("operations", "operations").entries())
    found.oneOf(`${at}.operations[${index}]`, operation, OPERATIONS);
  alone("apiGroups", "API groups");
  for (const [index, version] of alone("apiVersions", "API versions").entries())
    if (version === "") found.required(`${at}.apiVersions[${index}]`);
  checkResources(found, `${at}.resources`, textsAt(rule, "resources"));
  found.oneOf(`${at}.scope`, valueAt(rule, "scope"), SCOPES);
}

function checkNamedRule(found: Findings, at: string, rule: Json): void {
  const names = new Set<string>();
  for (const [index, name] of textsAt(rule, "resourceNames").entries()) {
    const here = `${at}.resourceNames[${index}]`;
    found.name(pathSegment, here, name);
    if (names.has(name)) found.duplicate(here, name);
    names.add(name);
  }
  checkRule(found, at, rule);
}

/** `admissionregistration/v1.MatchResources` */
export function checkMatchResources(found: Findings, at: string, resources: Json | undefined): void {
  if (!isObject(resources)) return;
  if (valueAt(resources, "matchPolicy") === undefined) found.required(`${at}.matchPolicy`);
  found.oneOf(`${at}.matchPolicy`, valueAt(resources, "matchPolicy"), ["Equivalent", "Exact"]);
  for (const field of ["namespaceSelector", "objectSelector"]) {
    if (valueAt(resources, field) === undefined) found.required(`${at}.${field}`);
    checkSelector(found, `${at}.${field}`, valueAt(resources, field));
  }
  for (const field of ["resourceRules", "excludeResourceRules"])
    for (const [index, rule] of listAt(resources, field).entries())
      checkNamedRule(found, `${at}.${field}[${index}]`, rule);
}

/** Nothing can be changed that goes. */
export function checkMutatedOperations(found: Findings, at: string, resources: Json | undefined): void {
  for (const rule of listAt(resources, "resourceRules"))
    for (const operation of listAt(rule, "operations"))
      found.oneOf(`${at}.resourceRules.operations`, operation, MUTATING_OPERATIONS);
}

export function checkMatchConditions(
  found: Findings,
  at: string,
  conditions: readonly Json[],
  environment: Environment,
): void {
  if (conditions.length > MOST_CONDITIONS) found.tooMany(at, conditions.length, MOST_CONDITIONS);
  const names = new Set<string>();
  for (const [index, condition] of conditions.entries()) {
    const here = `${at}[${index}]`;
    const [name, text] = [textAt(condition, "name"), textAt(condition, "expression").trim()];
    if (text === "") found.required(`${here}.expression`);
    else checkExpression(found, `${here}.expression`, text, environment, GIVES.condition);
    found.requiredName(qualifiedName, `${here}.name`, name);
    if (name !== "" && names.has(name)) found.duplicate(`${here}.name`, name);
    names.add(name);
  }
}
