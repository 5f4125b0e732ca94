import { BuildFailure } from "../failure.ts";
import type { FieldSpec } from "../fields/field-spec.ts";
import { changeField } from "../fields/field-spec.ts";
import { lookUp, splitDotted } from "../fields/paths.ts";
import type { Variable } from "../kustomization.ts";
import { type Gvk, gvkOf, gvkText, isClusterScoped, sameGvk } from "../target/gvk.ts";
import { type ResId, sameId } from "../target/res-id.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { BOOL, FLOAT, INT, Node, STR } from "../yaml/node.ts";

/** A name that stands for a field of an object wherever `$(NAME)` is written. */
export interface Var {
  readonly name: string;
  readonly gvk: Gvk;
  readonly object: string;
  readonly namespace: string;
  readonly fieldPath: string;
  /** As messages have it. */
  readonly text: string;
  /** The same with nothing in the place of what the file leaves open. */
  readonly written: string;
}

export function readVariable({ name = "", objref = {}, fieldref = {} }: Variable): Var {
  const { apiVersion = "", group = "", version = "", kind = "", name: object = "", namespace = "" } = objref;
  const gvk = apiVersion === "" ? { group, version, kind } : gvkOf(apiVersion, kind);
  const fieldPath = fieldref.fieldPath || "metadata.name";
  const text = `{${name} ${gvkText(gvk)} {${fieldPath}}}`;
  const written = `{${name} ${gvkText({ group, version, kind })} {${fieldref.fieldPath ?? ""}}}`;
  return { name, gvk, object, namespace, fieldPath, text, written };
}

/** Finds the objects that variables mean, and remembers with these that they are meant. */
export function bindVariables(map: ResourceMap, variables: readonly Var[]): void {
  for (const variable of variables) {
    const { gvk, object: name, namespace } = variable;
    const id: ResId = { gvk, name, namespace, clusterScoped: isClusterScoped(gvk) };
    const exact = namespace !== "" || id.clusterScoped;
    const found = map.withAnyId((one) => (exact ? sameId(one, id) : one.name === name && sameGvk(one.gvk, gvk)));
    if (found.length > 1) {
      throw new BuildFailure(`found ${found.length} resId matches for var ${variable.text} (unable to disambiguate)`);
    }
    found[0]?.variables.push(variable.name);
  }
}

/** @throws BuildFailure where one has a name that another has */
export function addVariables(known: readonly Var[], more: readonly Var[]): readonly Var[] {
  const all = [...known];
  for (const variable of more) {
    if (all.some(({ name }) => name === variable.name)) {
      throw new BuildFailure(`var '${variable.name}' already encountered`);
    }
    all.push(variable);
  }
  return all;
}

type Value = string | { readonly text: string; readonly tag: string };

/** Writes the values of variables where they are named. @returns names that stand nowhere */
export function resolveVariables(
  map: ResourceMap,
  variables: readonly Var[],
  fields: readonly FieldSpec[],
): readonly string[] {
  const values = new Map<string, Value>();
  for (const variable of variables.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    values.set(variable.name, valueOf(map, variable));
  }
  const used = new Set<string>();
  const lookUpValue = (name: string): Value => {
    const value = values.get(name);
    if (value === undefined) return `$(${name})`;
    used.add(name);
    return value;
  };
  for (const resource of map.resources) {
    for (const spec of fields) changeField(resource, spec, { set: (node) => expandNode(node, lookUpValue) });
  }
  return [...values.keys()].filter((name) => !used.has(name));
}

function valueOf(map: ResourceMap, variable: Var): Value {
  for (const resource of map.resources) {
    if (!resource.variables.includes(variable.name)) continue;
    const path = splitDotted(variable.fieldPath).flatMap((step) => {
      const match = /^(.*)\[(\d+)\]$/.exec(step);
      return match === null ? [step] : [match[1] ?? "", match[2] ?? ""].filter((part) => part !== "");
    });
    const found = tryLookUp(resource.node, path);
    if (found === undefined) {
      throw new BuildFailure(`field specified in var '${variable.text}' not found in corresponding resource`);
    }
    if (found.kind !== "scalar") return `$(${variable.name})`;
    return found.tag === INT || found.tag === FLOAT || found.tag === BOOL
      ? { text: found.text, tag: found.tag }
      : found.text;
  }
  throw new BuildFailure(`var '${variable.text}' cannot be mapped to a field in the set of known resources`);
}

function tryLookUp(node: Node, path: readonly string[]): Node | undefined {
  try {
    return lookUp(node, path);
  } catch (error) {
    if (error instanceof BuildFailure) return undefined;
    throw error;
  }
}

const isText = ({ kind, tag }: Node): boolean => kind === "scalar" && (tag === STR || tag === "");

function expandNode(node: Node, value: (name: string) => Value): void {
  if (node.isNull) return;
  if (node.kind === "scalar") expandScalar(node, value);
  else if (node.kind === "mapping") {
    for (const pair of node.pairs) {
      if (!isText(pair.key)) {
        throw new BuildFailure(`invalid map key: value='${pair.key.text}', tag='${pair.key.tag}'`);
      }
      expandScalar(pair.value, value);
    }
  } else {
    for (const item of node.items) {
      if (!isText(item)) throw new BuildFailure("invalid value type expect a string");
      expandScalar(item, value);
    }
  }
}

function expandScalar(node: Node, value: (name: string) => Value): void {
  if (!isText(node)) return;
  const expanded = expand(node.text, value);
  if (typeof expanded === "string") node.write(expanded, STR);
  else node.write(expanded.text, expanded.tag);
  node.style = "plain";
}

/** `$(NAME)` becomes its value, `$$` a dollar sign; everything else stays. */
export function expand(text: string, value: (name: string) => Value): Value {
  const alone = /^\$\(([^)]*)\)$/.exec(text);
  if (alone !== null) return value(alone[1] ?? "");
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return match === "$$" ? "$" : match;
    const found = value(name);
    return typeof found === "string" ? found : found.text;
  });
}
