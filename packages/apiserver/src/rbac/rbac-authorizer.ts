import { type Json, type Kind, type KubeObject, listAt, textAt } from "@boxship/api";
import type { PolicyRule } from "@boxship/api/rules";
import type { Attributes, Authorizer, Decision, User, UserRules } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { ruleAllows } from "./rule.ts";

const GROUP = "rbac.authorization.k8s.io";

interface Parsed {
  readonly revision: number;
  readonly objects: readonly KubeObject[];
  readonly byName: ReadonlyMap<string, KubeObject>;
}

const DECIDING = ["clusterrolebindings", "clusterroles", "rolebindings", "roles"];
const MOST_DECISIONS = 5000;
const LONGEST_QUESTION = 2000;

/** Roles and bindings as they are now decide; they are read again only when one of them has changed. */
export class RbacAuthorizer implements Authorizer {
  readonly #context: () => ServerContext;
  readonly #parsed = new Map<string, Parsed>();
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
    for await (const { rule, binding } of this.#rules(attributes.user, attributes.resource?.namespace ?? "")) {
      if (ruleAllows(rule, attributes)) return { verdict: "allow", reason: `RBAC: allowed by ${binding}` };
    }
    return { verdict: "no-opinion" };
  }

  async rulesFor(user: User, namespace: string): Promise<UserRules> {
    const rules: PolicyRule[] = [];
    for await (const { rule } of this.#rules(user, namespace)) rules.push(rule);
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
  rulesOfBinding(binding: KubeObject, namespace: string): Promise<readonly PolicyRule[]> {
    return this.#rulesOf(binding, namespace);
  }

  /** The rules of a user, with what gives them: everywhere, and in a namespace. */
  async *#rules(
    user: User,
    namespace: string,
  ): AsyncGenerator<{ readonly rule: PolicyRule; readonly binding: string }> {
    const everywhere = await this.#all("clusterrolebindings");
    for (const binding of everywhere.objects) {
      const subject = subjectFor(binding, user, "");
      if (subject === undefined) continue;
      for (const rule of await this.#rulesOf(binding, "")) {
        yield { rule, binding: describe("ClusterRoleBinding", binding, subject) };
      }
    }
    if (namespace === "") return;
    const here = await this.#all("rolebindings");
    for (const binding of here.objects) {
      if (binding.metadata.namespace !== namespace) continue;
      const subject = subjectFor(binding, user, namespace);
      if (subject === undefined) continue;
      for (const rule of await this.#rulesOf(binding, namespace)) {
        if (rule.nonResourceURLs === undefined) yield { rule, binding: describe("RoleBinding", binding, subject) };
      }
    }
  }

  async #rulesOf(binding: KubeObject, namespace: string): Promise<readonly PolicyRule[]> {
    const name = textAt(binding, "roleRef", "name");
    const isCluster = textAt(binding, "roleRef", "kind") === "ClusterRole";
    const roles = await this.#all(isCluster ? "clusterroles" : "roles");
    const role = roles.byName.get(isCluster ? name : `${namespace}/${name}`);
    return role === undefined ? [] : rulesOfRole(role, roles.objects);
  }

  async #all(resource: string): Promise<Parsed> {
    const { kinds, objects } = this.#context();
    const kind = kinds.find(GROUP, "v1", resource) as Kind;
    const cache = await objects.cache(kind);
    const known = this.#parsed.get(resource);
    if (known?.revision === cache.lastChange) return known;
    const all = [...cache.between("", "")].map((cached) => cached.parse());
    const nameOf = ({ metadata }: KubeObject): string =>
      metadata.namespace === undefined ? (metadata.name ?? "") : `${metadata.namespace}/${metadata.name}`;
    const parsed = { revision: cache.lastChange, objects: all, byName: new Map(all.map((one) => [nameOf(one), one])) };
    this.#parsed.set(resource, parsed);
    return parsed;
  }
}

function questionOf({ user, verb, path, resource }: Attributes): string {
  const about =
    resource === undefined
      ? [path]
      : [resource.group, resource.resource, resource.subresource, resource.namespace, resource.name];
  return JSON.stringify([user.name, user.groups, verb, about]);
}

/** A role's own rules, and those of the roles that it gathers by their labels. */
function rulesOfRole(role: KubeObject, all: readonly KubeObject[]): readonly PolicyRule[] {
  const selectors = listAt(role, "aggregationRule", "clusterRoleSelectors");
  const own = listAt(role, "rules") as unknown as readonly PolicyRule[];
  if (selectors.length === 0) return own;
  const gathered = all.filter((one) => one !== role && selectors.some((selector) => labelsHold(selector, one)));
  return [...own, ...gathered.flatMap((one) => listAt(one, "rules") as unknown as readonly PolicyRule[])];
}

function labelsHold(selector: Json, { metadata }: KubeObject): boolean {
  const labels = (selector as { matchLabels?: Record<string, string> }).matchLabels ?? {};
  const entries = Object.entries(labels);
  return entries.length > 0 && entries.every(([key, value]) => metadata.labels?.[key] === value);
}

function subjectFor(binding: KubeObject, { name, groups }: User, namespace: string): Json | undefined {
  return listAt(binding, "subjects").find((subject) => {
    const own = textAt(subject, "name");
    switch (textAt(subject, "kind")) {
      case "User":
        return own === name;
      case "Group":
        return groups.includes(own);
      case "ServiceAccount":
        return `system:serviceaccount:${textAt(subject, "namespace") || namespace}:${own}` === name;
      default:
        return false;
    }
  });
}

function describe(kind: string, binding: KubeObject, subject: Json): string {
  const { name = "", namespace } = binding.metadata;
  const own = JSON.stringify(namespace === undefined ? name : `${name}/${namespace}`);
  const role = `${textAt(binding, "roleRef", "kind")} ${JSON.stringify(textAt(binding, "roleRef", "name"))}`;
  return `${kind} ${own} of ${role} to ${textAt(subject, "kind")} ${JSON.stringify(textAt(subject, "name"))}`;
}
