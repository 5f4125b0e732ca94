import type { BackReference } from "../config/transformer-config.ts";
import { BuildFailure, within } from "../failure.ts";
import { changeField, type FieldSpec } from "../fields/field-spec.ts";
import { writeScalar } from "../fields/setters.ts";
import { type Gvk, isSelected } from "../target/gvk.ts";
import { effectiveNamespace, idText, sameNamespace } from "../target/res-id.ts";
import type { Resource } from "../target/resource.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { isThere, Node } from "../yaml/node.ts";

/** Names that objects have in fields of others follow when they change. */
export function updateReferences(map: ResourceMap, references: readonly BackReference[]): void {
  const byOldName = new Map<string, Resource[]>();
  for (const resource of map.resources) {
    for (const name of new Set(resource.previous.map((id) => id.name))) {
      const known = byOldName.get(name);
      if (known === undefined) byOldName.set(name, [resource]);
      else known.push(resource);
    }
  }
  const byNamespace = Map.groupBy(map.resources, ({ originalId }) => effectiveNamespace(originalId));
  const fieldsByKind = new Map<string, readonly (readonly [FieldSpec, Gvk])[]>();
  for (const referrer of map.resources) {
    const { gvk } = referrer.originalId;
    const key = `${gvk.group}\n${gvk.version}\n${gvk.kind}`;
    let fields = fieldsByKind.get(key);
    if (fields === undefined) {
      fields = references.flatMap((one) =>
        one.fieldSpecs.filter((spec) => isSelected(gvk, spec)).map((spec) => [spec, one] as const),
      );
      fieldsByKind.set(key, fields);
    }
    const updater = new Referrer(referrer, byOldName, byNamespace);
    for (const [spec, target] of fields) updater.update(spec, target);
  }
}

class Referrer {
  readonly #resource: Resource;
  readonly #byOldName: ReadonlyMap<string, readonly Resource[]>;
  readonly #byNamespace: ReadonlyMap<string, readonly Resource[]>;
  #bound: ReadonlySet<string> | undefined;

  /** @param byNamespace by that in which they were first */
  constructor(
    resource: Resource,
    byOldName: ReadonlyMap<string, readonly Resource[]>,
    byNamespace: ReadonlyMap<string, readonly Resource[]>,
  ) {
    this.#resource = resource;
    this.#byOldName = byOldName;
    this.#byNamespace = byNamespace;
  }

  /** Every field that a specification names, when it has the name of an object of a kind. */
  update(spec: FieldSpec, target: Gvk): void {
    const { group, version, kind } = this.#resource.gvk;
    const change = (node: Node): void => {
      if (node.isNull) return;
      if (node.kind === "scalar") this.#scalar(node, spec, target);
      else if (node.kind === "mapping") this.#mapping(node, spec, target);
      else for (const item of node.items) this.#item(item, spec, target);
    };
    try {
      changeField(this.#resource, { ...spec, group, version, kind }, { set: change });
    } catch (error) {
      throw within(`updating name reference in '${spec.path}' field of '${idText(this.#resource.id)}'`, error);
    }
  }

  #item(item: Node, spec: FieldSpec, target: Gvk): void {
    if (item.isNull) return;
    if (item.kind === "scalar") this.#scalar(item, spec, target);
    else if (item.kind === "mapping") this.#mapping(item, spec, target);
    else throw new BuildFailure("a list is expected to be either a string or a map of string");
  }

  #scalar(node: Node, spec: FieldSpec, target: Gvk): void {
    const found = this.#find(node.text, spec, target, undefined, false);
    if (found !== undefined && found.name !== node.text) writeScalar(node, found.name);
  }

  #mapping(node: Node, spec: FieldSpec, target: Gvk): void {
    const name = node.get("name");
    if (name === undefined) throw new BuildFailure("path config error; no 'name' field in node");
    const namespace = node.get("namespace");
    const found = this.#find(name.text, spec, target, namespace?.text, true);
    if (found === undefined || (found.name === name.text && found.namespace === "")) return;
    node.set("name", Node.scalar(found.name));
    if (found.namespace !== "") node.set("namespace", Node.scalar(found.namespace));
  }

  #find(
    oldName: string,
    spec: FieldSpec,
    target: Gvk,
    namespace: string | undefined,
    withNamespace: boolean,
  ): Resource | undefined {
    const named = this.#byOldName.get(oldName) ?? [];
    if (named.length === 0) return undefined;
    let candidates = named.filter((one) => this.#canRefer(one));
    if (namespace !== undefined) candidates = this.#inNamespace(candidates, namespace);
    candidates = candidates.filter(({ previousIds }) => previousIds.some(({ gvk }) => isSelected(gvk, target)));
    const role = spec.path.endsWith("roleRef/name") ? roleOf(this.#resource.node) : undefined;
    if (role !== undefined) {
      candidates = candidates.filter(({ previousIds }) => previousIds.some(({ gvk }) => isSelected(gvk, role)));
    }
    candidates = candidates.filter((one) => this.#isNear(one));
    if (candidates.length === 1) return candidates[0];
    candidates = candidates.filter((one) => sameAffixes(one, this.#resource, true));
    if (candidates.length > 1) candidates = candidates.filter((one) => sameAffixes(one, this.#resource, false));
    const [first] = candidates;
    if (first === undefined || candidates.length === 1) return first;
    const isFirst = ({ name, namespace: own }: Resource): boolean =>
      name === first.name && (!withNamespace || own === first.namespace);
    if (candidates.every(isFirst)) return first;
    throw tooMany(this.#resource, candidates);
  }

  /** Whether something in the other's namespace can be meant at all. */
  #canRefer(other: Resource): boolean {
    const { id } = this.#resource;
    if (id.clusterScoped) return true;
    const target = other.id;
    if (target.clusterScoped || sameNamespace(target, id)) return true;
    this.#bound ??= boundNamespaces(this.#resource);
    return this.#bound.has(other.namespace);
  }

  #inNamespace(candidates: readonly Resource[], namespace: string): Resource[] {
    const isKnown = this.#byNamespace.get(namespace)?.some((one) => this.#canRefer(one)) === true;
    if (isKnown) return candidates.filter(({ originalId }) => effectiveNamespace(originalId) === namespace);
    return candidates.filter(({ id }) => effectiveNamespace(id) === namespace);
  }

  #isNear(other: Resource): boolean {
    const { id } = this.#resource;
    if (id.clusterScoped || other.id.clusterScoped || other.kind === "ServiceAccount") return true;
    return sameNamespace(id, other.id);
  }
}

/** Namespaces of the service accounts that a role binding names. */
function boundNamespaces({ kind, node }: Resource): ReadonlySet<string> {
  const found = new Set<string>();
  if (kind !== "RoleBinding") return found;
  for (const subject of node.get("subjects")?.items ?? []) {
    const namespace = subject.get("namespace");
    if (isThere(namespace) && subject.textAt("kind") === "ServiceAccount") found.add(namespace.text);
  }
  return found;
}

function roleOf(node: Node): Gvk | undefined {
  const [group, kind] = [node.at("roleRef", "apiGroup"), node.at("roleRef", "kind")];
  return group === undefined || kind === undefined ? undefined : { group: group.text, version: "", kind: kind.text };
}

/** Whether both went through the same prefixes and suffixes at the end. */
function sameAffixes(one: Resource, other: Resource, allowEmpty: boolean): boolean {
  const same = (a: readonly string[], b: readonly string[]): boolean =>
    (allowEmpty && (a.length === 0 || b.length === 0)) || sameEnd(a, b);
  return same(one.prefixes, other.prefixes) && same(one.suffixes, other.suffixes);
}

function sameEnd(a: readonly string[], b: readonly string[]): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length === 0) return long.length === 0;
  return short.every((text, at) => text === long[long.length - short.length + at]);
}

function tooMany(referrer: Resource, candidates: readonly Resource[]): BuildFailure {
  const ids = candidates.map(({ id }) => idText(id)).join(", ");
  const details = candidates.map((one, at) => `--- possible referral ${at}:\n${one.withNotes().toYaml()}\n`).join("");
  return new BuildFailure(
    `found multiple possible referrals: ${ids}\n\n**** Too many possible referral targets to referrer:\n${referrer.withNotes().toYaml()}\n${details}`,
  );
}
