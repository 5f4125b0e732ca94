import { type Json, type Kind, type KubeObject, listAt, textAt } from "@boxship/api";
import type { Attributes, Authorizer, Decision, User, UserRules } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { type Rule, ruleAllows } from "./rule.ts";

const GROUP = "rbac.authorization.k8s.io";

interface Parsed {
  readonly revision: number;
  readonly objects: readonly KubeObject[];
  readonly byName: ReadonlyMap<string, KubeObject>;
}

/** Roles and bindings as they are now decide; they are read again only when one of them has changed. */
export class RbacAuthorizer implements Authorizer {
  readonly #context: () => ServerContext;
  readonly #parsed = new Map<string, Parsed>();

  constructor(context: () => ServerContext) {
    this.#context = context;
  }

  async authorize(attributes: Attributes): Promise<Decision> {
    for await (const { rule, binding } of this.#rules(attributes.user, attributes.resource?.namespace ?? "")) {
      if (ruleAllows(rule, attributes)) return { verdict: "allow", reason: `RBAC: allowed by ${binding}` };
    }
    return { verdict: "no-opinion" };
  }

  async rulesFor(user: User, namespace: string): Promise<UserRules> {
    const rules: Rule[] = [];
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
  rulesOfBinding(binding: KubeObject, namespace: string): Promise<readonly Rule[]> {
    return this.#rulesOf(binding, namespace);
  }

  /** The rules of a user, with what gives them: everywhere, and in a namespace. */
  async *#rules(user: User, namespace: string): AsyncGenerator<{ readonly rule: Rule; readonly binding: string }> {
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

  async #rulesOf(binding: KubeObject, namespace: string): Promise<readonly Rule[]> {
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

/** A role's own rules, and those of the roles that it gathers by their labels. */
function rulesOfRole(role: KubeObject, all: readonly KubeObject[]): readonly Rule[] {
  const selectors = listAt(role, "aggregationRule", "clusterRoleSelectors");
  const own = listAt(role, "rules") as unknown as readonly Rule[];
  if (selectors.length === 0) return own;
  const gathered = all.filter((one) => one !== role && selectors.some((selector) => labelsHold(selector, one)));
  return [...own, ...gathered.flatMap((one) => listAt(one, "rules") as unknown as readonly Rule[])];
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
