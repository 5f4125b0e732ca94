import { type Json, type JsonObject, setField } from "@boxship/api";
import { BuildFailure } from "../failure.ts";
import { type Node, NULL, STR } from "./node.ts";
import { type Resolved, resolveScalar, resolveScalar11 } from "./resolve-scalar.ts";

/**
 * What a node says, as an object of Kubernetes.
 *
 * @throws BuildFailure for fields that stand twice in a map, and texts that are not of the type that they are said to have
 */
export function toJson(node: Node): Json {
  return convert(node, resolveScalar, true);
}

/** The same by the rules of YAML 1.1, the last of equal fields winning: how configuration is read. */
export function toJson11(node: Node): Json {
  return convert(node, resolveScalar11, false);
}

function convert(node: Node, resolve: (text: string) => Resolved, strict: boolean): Json {
  if (node.kind === "sequence") return node.items.map((item) => convert(item, resolve, strict));
  if (node.kind === "scalar") return scalar(node, resolve);
  const object: JsonObject = {};
  for (const { key, value } of node.pairs) {
    if (strict && Object.hasOwn(object, key.text)) throw new DuplicateField(node, key.text);
    setField(object, key.text, convert(value, resolve, strict));
  }
  return object;
}

function scalar({ text, tag, style }: Node, resolve: (text: string) => Resolved): Json {
  if (tag === STR) return text;
  if (style !== "plain") return text;
  if (tag === NULL) return null;
  const resolved = resolve(text);
  if (tag === "" || tag === resolved.tag) return finite(resolved.value);
  if (tag === "!!float" && resolved.tag === "!!int") return resolved.value;
  if (resolve === resolveScalar) {
    throw new BuildFailure(`yaml: cannot decode ${resolved.tag} \`${text}\` as a ${tag}`);
  }
  return resolved.value;
}

function finite(value: Json): Json {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  const name = Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  throw new BuildFailure(`json: unsupported value: ${name}`);
}

/** A field that stands twice. Where, only who knows the whole document can say. */
export class DuplicateField extends BuildFailure {
  readonly mapping: Node;
  readonly field: string;

  constructor(mapping: Node, field: string) {
    super(`mapping key ${JSON.stringify(field)} already defined`);
    this.mapping = mapping;
    this.field = field;
  }
}
