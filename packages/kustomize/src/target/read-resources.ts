import { getField, isObject } from "@boxship/api";
import { BuildFailure } from "../failure.ts";
import { fromJson } from "../yaml/from-json.ts";
import { isThere, type Node } from "../yaml/node.ts";
import { parseYaml, splitDocuments } from "../yaml/parse.ts";
import { toJson } from "../yaml/to-json.ts";
import { Resource, textMap } from "./resource.ts";

/** Said of a text that is no YAML at all; a file that has it is not taken for a directory. */
export const MALFORMED = "MalformedYAMLError";

/** An annotation by which an object asks for a name with a hash. */
const NEEDS_HASH = "internal.config.kubernetes.io/needsHashSuffix";

/**
 * The objects of a file; lists are taken apart.
 *
 * @throws BuildFailure for what is no object of Kubernetes
 */
export function readResources(text: string): Resource[] {
  const nodes = validated(unwrap(readDocuments(text)));
  return inlineLists(nodes).map(made);
}

function made(node: Node): Resource {
  const resource = new Resource(node);
  resource.needsHash = resource.annotations.get(NEEDS_HASH) === "enabled";
  return resource;
}

function readDocuments(text: string): Node[] {
  const nodes: Node[] = [];
  const documents = splitDocuments(text);
  for (const document of documents) {
    let node: Node | undefined;
    try {
      node = parseYaml(document);
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
      throw new BuildFailure(`${MALFORMED}: ${error.message}`);
    }
    if (isThere(node)) nodes.push(node);
  }
  return nodes;
}

/** A single list is its items. */
function unwrap(nodes: Node[]): Node[] {
  const [only] = nodes;
  const kind = only?.get("kind")?.text;
  if (nodes.length !== 1 || only === undefined || (kind !== "List" && kind !== "ResourceList")) return nodes;
  const items = only.get("items");
  if (items === undefined && only.get("functionConfig") === undefined) return nodes;
  return items?.items ?? [];
}

function validated(nodes: readonly Node[]): Node[] {
  const good = nodes.filter((node) => !node.isEmpty);
  for (const node of good) validate(node);
  return good;
}

/** @throws BuildFailure for an object without a kind or a name */
export function validate(node: Node): void {
  const [apiVersion, kind] = [node.textAt("apiVersion"), node.textAt("kind")];
  const metadata = node.get("metadata");
  if (apiVersion === "" && kind === "" && (metadata === undefined || metadata.isEmpty)) {
    throw new BuildFailure("missing Resource metadata");
  }
  const name = node.textAt("metadata", "name");
  const missing = kind === "" ? "kind" : name === "" && !kind.endsWith("List") ? "metadata.name" : undefined;
  if (missing === undefined) return;
  const texts = (field: string): string =>
    `map[${[...textMap(node.at("metadata", field))]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}:${value}`)
      .join(" ")}]`;
  const named = `{${name} ${node.textAt("metadata", "namespace")}}`;
  throw new BuildFailure(
    `missing ${missing} in object {{${apiVersion} ${kind}} {${named} ${texts("labels")} ${texts("annotations")}}}`,
  );
}

/** Lists of a kind's objects give their items, after everything else. */
function inlineLists(nodes: readonly Node[]): Node[] {
  const waiting = [...nodes];
  const found: Node[] = [];
  for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
    const kind = node.get("kind")?.text ?? "";
    const object = kind.endsWith("List") ? toJson(node) : undefined;
    const items = isObject(object) ? getField(object, "items") : undefined;
    if (items === undefined) found.push(node);
    else if (Array.isArray(items)) waiting.push(...validated(items.map((item) => fromJson(item))));
    else if (items !== null) {
      const type = isObject(items) ? "map[string]interface {}" : typeof items === "number" ? "int" : typeof items;
      throw new BuildFailure(`expected array in ${kind}/items, but found ${type}`);
    }
  }
  return found;
}
