import { BuildFailure, within } from "../failure.ts";
import { type Gvk, gvkOf } from "../target/gvk.ts";
import { idText } from "../target/res-id.ts";
import type { Resource } from "../target/resource.ts";
import { type Kind, Node } from "../yaml/node.ts";

/** A field of some kinds: `spec/template/spec/containers[]/image`. Lists on the way stand for all of their elements. */
export interface FieldSpec extends Gvk {
  readonly path: string;
  /** Whether maps on the way to the field, and the field, are made where they are missing. */
  readonly create: boolean;
}

export interface FieldChange {
  /** Called with each field, which may be null or of any form. */
  readonly set: (field: Node) => void;
  /** What a field is made as where it is to be. @default none is made */
  readonly make?: { readonly kind: Kind; readonly tag: string };
}

/** Changes what a specification names in an object, when it is one for its kind. */
export function changeField(resource: Resource, spec: FieldSpec, change: FieldChange): void {
  changeNode(resource.node, spec, change);
}

export function changeNode(node: Node, spec: FieldSpec, change: FieldChange): void {
  const kind = node.get("kind")?.text ?? "";
  const gvk = gvkOf(node.get("apiVersion")?.text ?? "", kind);
  if (spec.kind !== "" && spec.kind !== kind) return;
  if (spec.group !== "" && spec.group !== gvk.group) return;
  if (spec.version !== "" && spec.version !== gvk.version) return;
  try {
    walk(node, splitPath(spec.path, "/"), spec.create, change);
  } catch (error) {
    const [name, namespace] = [node.textAt("metadata", "name"), node.textAt("metadata", "namespace")];
    const id = idText({ gvk, name, namespace, clusterScoped: false });
    throw within(`considering field '${spec.path}' of object ${id}`, error);
  }
}

function walk(node: Node, path: readonly string[], create: boolean, change: FieldChange): void {
  const [step, ...rest] = path;
  if (step === undefined) change.set(node);
  else if (node.isNull) return;
  else if (node.kind === "sequence") {
    for (const item of node.items) {
      try {
        walk(item, path, create, change);
      } catch (error) {
        throw within(`visit traversal on path: [${path.join(" ")}]`, error);
      }
    }
  } else if (node.kind === "mapping") walkField(node, step, rest, create, change);
  else throw new BuildFailure("expected sequence or mapping node");
}

function walkField(node: Node, step: string, rest: readonly string[], create: boolean, change: FieldChange): void {
  const isList = step.endsWith("[]");
  const name = isList ? step.slice(0, -2) : step;
  if (name === "") throw new BuildFailure("cannot set or create an empty field name");
  const makes = create && change.make !== undefined && !isList;
  const made = rest.length > 0 ? { kind: "mapping" as const, tag: "!!map" } : change.make;
  let field = node.get(name);
  if (field === undefined) {
    if (!makes || made === undefined) return;
    field = Node.of(made.kind);
    node.set(name, field);
  } else if (field.isNull) {
    if (isList) field.become(Node.sequence());
    else if (makes && made !== undefined)
      field.become(made.kind === "scalar" ? Node.scalar("", made.tag) : Node.of(made.kind));
  }
  walk(field, rest, create, change);
}

/** A path's steps; `\` before a separator makes it part of a name. */
export function splitPath(path: string, separator: string): string[] {
  const parts = path.split(separator);
  if (parts.length > 1 && parts[0] === "") parts.shift();
  const steps = [parts[0] ?? ""];
  for (const part of parts.slice(1)) {
    const last = steps.at(-1) ?? "";
    if (last.endsWith("\\")) steps[steps.length - 1] = `${last.slice(0, -1)}${separator}${part}`;
    else steps.push(part);
  }
  return steps;
}
