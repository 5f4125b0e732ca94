import { createHash } from "node:crypto";
import { isObject, type Json } from "@boxship/api";
import { goJson } from "@boxship/api/go-json";
import type { Resource } from "../target/resource.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import type { Node } from "../yaml/node.ts";
import { toJson } from "../yaml/to-json.ts";

/** Puts the hash of their content behind the names of what wants one. */
export function addHashes(map: ResourceMap): void {
  for (const resource of map.resources) {
    if (!resource.needsHash) continue;
    const hash = contentHash(resource);
    resource.keepId();
    resource.name = `${resource.name}-${hash}`;
  }
}

/** Ten signs, without vowels and those that look like others. */
const SIGNS: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };

function contentHash({ node, kind }: Resource): string {
  const content = kind === "Secret" ? secretContent(node) : configMapContent(node);
  const hex = createHash("sha256").update(goJson(content)).digest("hex").slice(0, 10);
  return hex.replace(/[013ae]/g, (sign) => SIGNS[sign] ?? sign);
}

/** The name has its place in what is hashed, and is always empty there. */
function configMapContent(node: Node): Json {
  const binary = valueAt(node, "binaryData");
  const content: Json = { kind: "ConfigMap", name: "", data: valueAt(node, "data") };
  return isObject(binary) ? { ...content, binaryData: binary } : content;
}

function secretContent(node: Node): Json {
  const texts = valueAt(node, "stringData");
  const content: Json = {
    kind: "Secret",
    type: valueAt(node, "type"),
    name: "",
    data: valueAt(node, "data"),
  };
  return isObject(texts) ? { ...content, stringData: texts } : content;
}

function valueAt(node: Node, field: string): Json {
  const found = node.get(field);
  if (found === undefined) return "";
  return found.kind === "scalar" ? found.text : toJson(found);
}
