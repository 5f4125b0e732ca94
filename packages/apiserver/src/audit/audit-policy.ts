import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import type { RequestInfo, User } from "../contract.ts";
import { parseYaml } from "../http/parse-yaml.ts";

const LEVELS = ["None", "Metadata", "Request", "RequestResponse"] as const;
const STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"] as const;

/** How much of a request is written down. */
export type AuditLevel = (typeof LEVELS)[number];
export type AuditStage = (typeof STAGES)[number];

export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitted: ReadonlySet<string>;
  /** Whether bodies are written down without who manages which field. */
  readonly omitsManagedFields: boolean;
}

/** Their bodies are secrets: whatever the policy says, no more than metadata is written down. */
const SECRET = new Set(["secrets", "tokenreviews", "serviceaccounts/token"]);

/** `audit.k8s.io/v1.Policy`: the first rule that matches decides. */
export class AuditPolicy {
  readonly #rules: readonly Json[];
  readonly #omitted: readonly string[];
  readonly #omitsManagedFields: boolean;

  constructor(rules: readonly Json[], omitted: readonly string[], omitsManagedFields = false) {
    this.#rules = rules;
    this.#omitted = omitted;
    this.#omitsManagedFields = omitsManagedFields;
  }

  /** @throws InvalidArgument naming the field */
  static parse(text: string): AuditPolicy {
    const wrong = (what: string): Error => new InvalidArgument(`the audit policy is wrong: ${what}`);
    let policy: Json;
    try {
      policy = parseYaml(text);
    } catch (error) {
      throw wrong(errorMessage(error));
    }
    if (textAt(policy, "apiVersion") !== "audit.k8s.io/v1" || textAt(policy, "kind") !== "Policy")
      throw wrong("it is no Policy of audit.k8s.io/v1");
    const other = Object.keys(isObject(policy) ? policy : {}).find((field) => !POLICY_FIELDS.has(field));
    if (other !== undefined) throw wrong(`${other} is not supported`);
    const rules = listAt(policy, "rules");
    if (rules.length === 0) throw wrong("it has no rules");
    for (const [index, rule] of rules.entries()) {
      const level = textAt(rule, "level");
      if (!LEVELS.some((known) => known === level))
        throw wrong(`rules[${index}].level is none of ${LEVELS.join(", ")}`);
      const unknown = Object.keys(isObject(rule) ? rule : {}).find((field) => !FIELDS.has(field));
      if (unknown !== undefined) throw wrong(`rules[${index}].${unknown} is not supported`);
      if (valueAt(rule, "nonResourceURLs") !== undefined && valueAt(rule, "resources") !== undefined)
        throw wrong(`rules[${index}] is about resources and about other paths`);
    }
    for (const stage of [policy, ...rules].flatMap((one) => listAt(one, "omitStages"))) {
      if (!STAGES.some((known) => known === stage)) throw wrong(`omitStages: there is no ${textAt(stage)}`);
    }
    if (policies(policy, rules).some((value) => value !== undefined && typeof value !== "boolean"))
      throw wrong("omitManagedFields is neither true nor false");
    return new AuditPolicy(
      rules,
      listAt(policy, "omitStages").map(String),
      valueAt(policy, "omitManagedFields") === true,
    );
  }

  decide(info: RequestInfo, user: User | undefined): AuditDecision {
    const rule = this.#rules.find((one) => holds(one, info, user));
    const asked = LEVELS.find((known) => known === textAt(rule, "level")) ?? "None";
    const level = isSecret(info) && (asked === "Request" || asked === "RequestResponse") ? "Metadata" : asked;
    return {
      level,
      omitted: new Set([...this.#omitted, ...listAt(rule, "omitStages").map(String)]),
      omitsManagedFields: Boolean(valueAt(rule, "omitManagedFields") ?? this.#omitsManagedFields),
    };
  }
}

const policies = (policy: Json, rules: readonly Json[]) =>
  [policy, ...rules].map((one) => valueAt(one, "omitManagedFields"));

const POLICY_FIELDS = new Set(["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"]);

const FIELDS = new Set([
  "level",
  "users",
  "userGroups",
  "verbs",
  "resources",
  "namespaces",
  "nonResourceURLs",
  "omitManagedFields",
  "omitStages",
]);

function isSecret({ resource }: RequestInfo): boolean {
  if (resource === undefined) return false;
  const { resource: name, subresource } = resource;
  return SECRET.has(subresource === "" ? name : `${name}/${subresource}`) || name === "secrets";
}

function holds(rule: Json, info: RequestInfo, user: User | undefined): boolean {
  const any = (field: string, values: readonly string[]): boolean => {
    const list = listAt(rule, field);
    return list.length === 0 || values.some((value) => list.includes(value));
  };
  if (!any("users", [user?.name ?? ""]) || !any("userGroups", user?.groups ?? []) || !any("verbs", [info.verb]))
    return false;
  const [resources, paths] = [listAt(rule, "resources"), listAt(rule, "nonResourceURLs").map(String)];
  const { resource } = info;
  if (resource === undefined) {
    if (resources.length > 0 || listAt(rule, "namespaces").length > 0) return false;
    return paths.length === 0 || paths.some((path) => matchesPath(path, info.path));
  }
  if (paths.length > 0 || !any("namespaces", [resource.namespace])) return false;
  if (resources.length === 0) return true;
  return resources.some((one) => {
    if (textAt(one, "group") !== resource.group) return false;
    const names = listAt(one, "resourceNames");
    if (names.length > 0 && !names.includes(resource.name)) return false;
    const kinds = listAt(one, "resources").map(String);
    return kinds.length === 0 || kinds.some((kind) => matchesResource(kind, resource.resource, resource.subresource));
  });
}

const matchesPath = (pattern: string, path: string): boolean =>
  pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path;

function matchesResource(pattern: string, resource: string, subresource: string): boolean {
  if (pattern === "*") return true;
  const [name, below = ""] = pattern.split("/", 2);
  if (name !== "*" && name !== resource) return false;
  return below === "*" ? subresource !== "" : below === subresource;
}
