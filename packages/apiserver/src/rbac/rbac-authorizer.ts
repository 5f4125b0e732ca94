import { type Kind, type KubeObject, textAt } from "@boxship/api";
import type { PolicyRule } from "@boxship/api/rules";
import type { Attributes, Authorizer, Decision, User, UserRules } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { parseAll } from "../storage/read-objects.ts";
import { type Bound, ParsedRules } from "./parsed-rules.ts";
import { ruleAllows } from "./rule.ts";

const GROUP = "rbac.authorization.k8s.io";

const DECIDING = ["clusterrolebindings", "clusterroles", "rolebindings", "roles"];
const MOST_DECISIONS = 5000;
const LONGEST_QUESTION = 2000;

/** Roles and bindings as they are now decide; they are read again only when one of them has changed. */
export class RbacAuthorizer implements Authorizer {
  readonly #context: () => ServerContext;
  readonly #parsed = new Map<string, ParsedRules>();
  readonly #decisions = new Map<string, Decision>();
  #asOf = "";
  #told = 0;

  constructor(context: () => ServerContext) {
    this.#context = context;
  }

  authorize(attributes: Attributes): Decision | Promise<Decision> {
    this.#forgetOld();
    const key = questionOf(attributes);
    return this.#decisions.get(key) ?? this.#decide(attributes, key);
  }

  async #decide(attributes: Attributes, key: string): Promise<Decision> {
    const asOf = this.#asOf;
    const decision = await this.#decided(attributes);
    // Only what no change has come between.
    this.#forgetOld();
    if (this.#asOf === asOf && key.length <= LONGEST_QUESTION) {
      if (this.#decisions.size >= MOST_DECISIONS) this.#decisions.clear();
      this.#decisions.set(key, decision);
    }
    return decision;
  }

  /** Decisions hold as long as no role and no binding changes. */
  #forgetOld(): void {
    const { kinds, objects } = this.#context();
    if (objects.told === this.#told) return;
    this.#told = objects.told;
    let asOf = "";
    for (const resource of DECIDING) {
      asOf += ` ${objects.loadedCache(kinds.find(GROUP, "v1", resource) as Kind)?.lastChange}`;
    }
    if (asOf === this.#asOf) return;
    this.#asOf = asOf;
    this.#decisions.clear();
  }

  async #decided(attributes: Attributes): Promise<Decision> {
    for (const { rule, bound } of await this.#rules(attributes.user, attributes.resource?.namespace ?? "")) {
      if (ruleAllows(rule, attributes)) return { verdict: "allow", reason: `RBAC: allowed by ${describe(bound)}` };
    }
    return { verdict: "no-opinion" };
  }

  async rulesFor(user: User, namespace: string): Promise<UserRules> {
    const rules: PolicyRule[] = [];
    for (const { rule } of await this.#rules(user, namespace)) rules.push(rule);
    return {
      resourceRules: rules
        .filter(({ resources }) => resources !== undefined)
        .map(({ verbs = [], apiGroups = [], resources = [], resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames === undefined ? {} : { resourceNames }),
        })),
      nonResourceRules: rules
        .filter(({ nonResourceURLs }) => nonResourceURLs !== undefined)
        .map(({ verbs = [], nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
    };
  }

  /** What a binding gives. */
  async rulesOfBinding(binding: KubeObject, namespace: string): Promise<readonly PolicyRule[]> {
    return rulesOf(binding, namespace, await this.#roles());
  }

  async #roles(): Promise<Roles> {
    return { clusterRoles: await this.#all("clusterroles"), roles: await this.#all("roles") };
  }

  /** The rules of a user, with what gives them: everywhere, and in a namespace. */
  async #rules(user: User, namespace: string): Promise<Iterable<Given>> {
    const everywhere = await this.#all("clusterrolebindings");
    const here = namespace === "" ? undefined : await this.#all("rolebindings");
    const roles = await this.#roles();
    return given(user, namespace, everywhere, here, roles);
  }

  async #all(resource: string): Promise<ParsedRules> {
    const { kinds, objects } = this.#context();
    const kind = kinds.find(GROUP, "v1", resource) as Kind;
    const cache = await objects.cache(kind);
    const known = this.#parsed.get(resource);
    const revision = cache.lastChange;
    if (known?.revision === revision) return known;
    const parsed = new ParsedRules(revision, await parseAll(cache));
    if ((this.#parsed.get(resource)?.revision ?? 0) <= revision) this.#parsed.set(resource, parsed);
    return parsed;
  }
}

interface Roles {
  readonly clusterRoles: ParsedRules;
  readonly roles: ParsedRules;
}

/** A rule that somebody has, and what gives it. */
interface Given {
  readonly rule: PolicyRule;
  readonly bound: Bound;
}

function* given(
  user: User,
  namespace: string,
  everywhere: ParsedRules,
  here: ParsedRules | undefined,
  roles: Roles,
): Generator<Given> {
  for (const bound of everywhere.boundTo(user, ""))
    for (const rule of rulesOf(bound.binding, "", roles)) yield { rule, bound };
  for (const bound of here?.boundTo(user, namespace) ?? []) {
    for (const rule of rulesOf(bound.binding, namespace, roles))
      if (rule.nonResourceURLs === undefined) yield { rule, bound };
  }
}

function rulesOf(binding: KubeObject, namespace: string, { clusterRoles, roles }: Roles): readonly PolicyRule[] {
  const name = textAt(binding, "roleRef", "name");
  return textAt(binding, "roleRef", "kind") === "ClusterRole"
    ? clusterRoles.rulesOf(name)
    : roles.rulesOf(`${namespace}/${name}`);
}

function questionOf({ user, verb, path, resource }: Attributes): string {
  const about =
    resource === undefined
      ? [path]
      : [resource.group, resource.resource, resource.subresource, resource.namespace, resource.name];
  return JSON.stringify([user.name, user.groups, verb, about]);
}

function describe({ binding, subject }: Bound): string {
  const { name = "", namespace } = binding.metadata;
  const own = JSON.stringify(namespace === undefined ? name : `${name}/${namespace}`);
  const role = `${textAt(binding, "roleRef", "kind")} ${JSON.stringify(textAt(binding, "roleRef", "name"))}`;
  const kind = namespace === undefined ? "ClusterRoleBinding" : "RoleBinding";
  return `${kind} ${own} of ${role} to ${textAt(subject, "kind")} ${JSON.stringify(textAt(subject, "name"))}`;
}
