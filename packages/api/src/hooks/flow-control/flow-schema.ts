import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";

const MOST = 10_000;
const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

const everything = (groups: readonly string[]): Json[] => [
  {
    subjects: groups.map((name) => ({ kind: "Group", group: { name } })),
    resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }],
    nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
  },
];

/** Schemas that a server cannot do without. */
const FIXED: Readonly<Record<string, Json>> = {
  exempt: {
    priorityLevelConfiguration: { name: "exempt" },
    matchingPrecedence: 1,
    rules: everything(["system:masters"]),
  },
  "catch-all": {
    priorityLevelConfiguration: { name: "catch-all" },
    matchingPrecedence: MOST,
    distinguisherMethod: { type: "ByUser" },
    rules: everything(["system:unauthenticated", "system:authenticated"]),
  },
};

const OTHERS = { serviceAccount: "ServiceAccount", user: "User", group: "Group" } as const;

function checkSubject(found: Findings, at: string, subject: Json): void {
  const kind = textAt(subject, "kind");
  const own = Object.entries(OTHERS).find(([, name]) => name === kind)?.[0];
  if (own === undefined) {
    found.notSupported(`${at}.kind`, kind, ["Group", "ServiceAccount", "User"]);
    return;
  }
  const named = valueAt(subject, own);
  if (!isObject(named)) found.required(`${at}.${own}`, `${own} is required when subject kind is '${kind}'`);
  else {
    const [name, namespace] = [textAt(named, "name"), textAt(named, "namespace")];
    if (name === "") found.required(`${at}.${own}.name`);
    else if (kind === "ServiceAccount" && name !== "*") found.name(dnsSubdomain, `${at}.${own}.name`, name);
    if (kind === "ServiceAccount")
      found.requiredName(dnsLabel, `${at}.${own}.namespace`, namespace, "must specify namespace for service account");
  }
  for (const [field, other] of Object.entries(OTHERS)) {
    if (other !== kind && isObject(valueAt(subject, field)))
      found.forbidden(`${at}.${field}`, `${field} is forbidden when subject kind is not '${other}'`);
  }
}

/** @returns whether each of the values is to be looked at */
function checkList(found: Findings, at: string, rule: Json, field: string, nothing: string, others: string): boolean {
  const values = [...listAt(rule, field)];
  if (values.length === 0) found.required(`${at}.${field}`, nothing);
  else if (!values.includes("*")) return true;
  else if (values.length > 1)
    found.invalid(`${at}.${field}`, values, `if '*' is present, must not specify other ${others}`);
  return false;
}

function checkVerbs(found: Findings, at: string, rule: Json): void {
  const each = checkList(found, at, rule, "verbs", "verbs must contain at least one value", "verbs");
  const verbs = [...listAt(rule, "verbs")];
  if (each && !verbs.every((verb) => VERBS.includes(textAt(verb)))) found.notSupported(`${at}.verbs`, verbs, VERBS);
}

function checkResourceRule(found: Findings, at: string, rule: Json): void {
  checkVerbs(found, at, rule);
  checkList(found, at, rule, "apiGroups", "resource rules must supply at least one api group", "api groups");
  checkList(found, at, rule, "resources", "resource rules must supply at least one resource", "resources");
  const namespaces = listAt(rule, "namespaces");
  if (namespaces.length === 0 && valueAt(rule, "clusterScope") === true) return;
  const none = "resource rules that are not cluster scoped must supply at least one namespace";
  if (!checkList(found, at, rule, "namespaces", none, "namespaces")) return;
  for (const [index, one] of namespaces.entries()) {
    const name = textAt(one);
    for (const problem of dnsLabel(name)) {
      const why = `each member of this list must be '*' or a DNS-1123 label; ${problem}`;
      found.invalid(`${at}.namespaces[${index}]`, name, why);
    }
  }
}

function pathProblem(path: string): string | undefined {
  if (path === "") return "must not be empty";
  if (path === "/") return undefined;
  if (!path.startsWith("/")) return "must start with slash";
  if (path.includes(" ")) return "must not contain white-space";
  if (path.includes("//")) return "must not contain double slash";
  const stars = path.split("*").length - 1;
  return stars > 1 || (stars === 1 && !path.endsWith("/*")) ? "wildcard can only do suffix matching" : undefined;
}

function checkPathRule(found: Findings, at: string, rule: Json): void {
  checkVerbs(found, at, rule);
  const none = "nonResourceURLs must contain at least one value";
  if (!checkList(found, at, rule, "nonResourceURLs", none, "non-resource URLs")) return;
  for (const [index, one] of listAt(rule, "nonResourceURLs").entries()) {
    const problem = pathProblem(textAt(one));
    if (problem !== undefined) found.invalid(`${at}.nonResourceURLs[${index}]`, textAt(one), problem);
  }
}

function checkRule(found: Findings, at: string, rule: Json): void {
  const lists = ["subjects", "resourceRules", "nonResourceRules"] as const;
  const [subjects, resources, paths] = lists.map((field) => listAt(rule, field)) as [
    readonly Json[],
    readonly Json[],
    readonly Json[],
  ];
  if (subjects.length === 0) found.required(`${at}.subjects`, "subjects must contain at least one value");
  for (const [index, subject] of subjects.entries()) checkSubject(found, `${at}.subjects[${index}]`, subject);
  if (resources.length === 0 && paths.length === 0)
    found.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty");
  for (const [index, one] of resources.entries()) checkResourceRule(found, `${at}.resourceRules[${index}]`, one);
  for (const [index, one] of paths.entries()) checkPathRule(found, `${at}.nonResourceRules[${index}]`, one);
}

function checkSchema(found: Findings, { metadata, spec }: KubeObject, old: KubeObject | undefined): void {
  const precedence = Number(valueAt(spec, "matchingPrecedence") ?? 0);
  const field = "spec.matchingPrecedence";
  if (precedence <= 0) found.invalid(field, precedence, "must be a positive value");
  if (precedence > MOST) found.invalid(field, precedence, `must not be greater than ${MOST}`);
  if (precedence === 1 && metadata.name !== "exempt")
    found.invalid(field, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  const method = valueAt(spec, "distinguisherMethod");
  const methods = ["ByNamespace", "ByUser"];
  if (isObject(method) && !methods.includes(textAt(method, "type")))
    found.notSupported("spec.distinguisherMethod.type", method, methods);
  const level = textAt(spec, "priorityLevelConfiguration", "name");
  found.requiredName(dnsSubdomain, "spec.priorityLevelConfiguration.name", level, "must reference a priority level");
  for (const [index, rule] of listAt(spec, "rules").entries()) checkRule(found, `spec.rules[${index}]`, rule);
  const fixed = Object.hasOwn(FIXED, metadata.name ?? "") ? FIXED[metadata.name ?? ""] : undefined;
  // Clusters of before have other orders of the same groups.
  if (fixed !== undefined && !deepEqual(spec, fixed) && !deepEqual(spec, old?.["spec"]))
    found.invalid("spec", spec, `spec of '${metadata.name}' must equal the fixed value`);
}

/** A status has each condition once, by its name. */
export function checkConditions(found: Findings, { status }: KubeObject): void {
  const seen = new Set<string>();
  for (const [index, condition] of listAt(status, "conditions").entries()) {
    const [field, type] = [`status.conditions[${index}].type`, textAt(condition, "type")];
    if (seen.has(type)) found.duplicate(field, type);
    seen.add(type);
    if (type === "") found.required(field);
  }
}

/** `flowcontrol/v1.FlowSchema` */
export const flowSchema: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: (object, old) => findingsOf((found) => checkSchema(found, object, old)),
  validateStatus: (object) => findingsOf((found) => checkConditions(found, object)),
};
