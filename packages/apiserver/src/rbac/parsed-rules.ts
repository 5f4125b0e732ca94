import {
  type Json,
  type KubeObject,
  type LabelSelectorObject,
  listAt,
  matchesLabels,
  selectorOf,
  textAt,
} from "@boxship/api";
import type { PolicyRule } from "@boxship/api/rules";
import type { User } from "../contract.ts";

/** A binding, and that of its subjects by which it binds a user. */
export interface Bound {
  readonly binding: KubeObject;
  readonly subject: Json;
}

interface Entry extends Bound {
  /** The binding's place among all. */
  readonly index: number;
}

/** All roles, or all bindings, of a resource as they were at a revision. */
export class ParsedRules {
  readonly revision: number;
  readonly #objects: readonly KubeObject[];
  #byName: ReadonlyMap<string, KubeObject> | undefined;
  #bySubject: ReadonlyMap<string, readonly Entry[]> | undefined;
  readonly #rules = new Map<KubeObject, readonly PolicyRule[]>();

  constructor(revision: number, objects: readonly KubeObject[]) {
    this.revision = revision;
    this.#objects = objects;
  }

  /** What a role allows, with what it gathers; nothing where there is none. @param name `name`, or `namespace/name` */
  rulesOf(name: string): readonly PolicyRule[] {
    this.#byName ??= new Map(this.#objects.map((one) => [nameOf(one), one]));
    const role = this.#byName.get(name);
    if (role === undefined) return [];
    let rules = this.#rules.get(role);
    if (rules === undefined) this.#rules.set(role, (rules = rulesOfRole(role, this.#objects)));
    return rules;
  }

  /** Bindings of a user, in their order: those of a namespace, or those of none. */
  boundTo({ name, groups }: User, namespace: string): readonly Bound[] {
    this.#bySubject ??= indexed(this.#objects);
    const found = new Map<number, Entry>();
    for (const key of new Set([userKey(namespace, name), ...groups.map((group) => groupKey(namespace, group))])) {
      for (const entry of this.#bySubject.get(key) ?? []) {
        const other = found.get(entry.index);
        // Of several subjects of a binding, the first.
        if (other === undefined || isBefore(entry, other)) found.set(entry.index, entry);
      }
    }
    return [...found.values()].sort((left, right) => left.index - right.index);
  }
}

const nameOf = ({ metadata: { name = "", namespace } }: KubeObject): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

const userKey = (namespace: string, name: string): string => `${namespace} user ${name}`;
const groupKey = (namespace: string, name: string): string => `${namespace} group ${name}`;

function isBefore({ binding, subject }: Bound, other: Bound): boolean {
  const subjects = listAt(binding, "subjects");
  return subjects.indexOf(subject) < subjects.indexOf(other.subject);
}

function indexed(bindings: readonly KubeObject[]): ReadonlyMap<string, readonly Entry[]> {
  const bySubject = new Map<string, Entry[]>();
  for (const [index, binding] of bindings.entries()) {
    const { namespace = "" } = binding.metadata;
    for (const subject of listAt(binding, "subjects")) {
      const key = keyOf(subject, namespace);
      if (key === undefined) continue;
      const entries = bySubject.get(key);
      if (entries === undefined) bySubject.set(key, [{ binding, subject, index }]);
      else if (entries.at(-1)?.index !== index) entries.push({ binding, subject, index });
    }
  }
  return bySubject;
}

function keyOf(subject: Json, namespace: string): string | undefined {
  const name = textAt(subject, "name");
  switch (textAt(subject, "kind")) {
    case "User":
      return userKey(namespace, name);
    case "Group":
      return groupKey(namespace, name);
    case "ServiceAccount":
      return userKey(namespace, `system:serviceaccount:${textAt(subject, "namespace") || namespace}:${name}`);
    default:
      return undefined;
  }
}

/** A role's own rules, and those of the roles that it gathers by their labels. */
function rulesOfRole(role: KubeObject, all: readonly KubeObject[]): readonly PolicyRule[] {
  const selectors = (listAt(role, "aggregationRule", "clusterRoleSelectors") as LabelSelectorObject[])
    .map(selectorOf)
    .filter((selector) => selector !== undefined);
  const own = listAt(role, "rules") as unknown as readonly PolicyRule[];
  if (selectors.length === 0) return own;
  const gathered = all.filter(
    (one) => one !== role && selectors.some((selector) => matchesLabels(selector, one.metadata.labels)),
  );
  return [...own, ...gathered.flatMap((one) => listAt(one, "rules") as unknown as readonly PolicyRule[])];
}
