import { isObject, type Json, type JsonObject, textAt } from "@boxship/api";
import type { MergeSchema, MergeSchemas } from "./merge-schema.ts";

/** How many references one field may go through. */
const LONGEST_CHAIN = 100;

/** The kinds of an OpenAPI document (version 2), as `kustomize openapi fetch` writes one. */
export function openApiSchemas(document: Json): MergeSchemas {
  const definitions = isObject(document) && isObject(document["definitions"]) ? document["definitions"] : {};
  const byKind = new Map<string, JsonObject>();
  for (const definition of Object.values(definitions)) {
    if (!isObject(definition)) continue;
    const kinds = definition["x-kubernetes-group-version-kind"];
    for (const kind of Array.isArray(kinds) ? kinds : []) {
      if (!isObject(kind)) continue;
      const group = typeof kind["group"] === "string" && kind["group"] !== "" ? `${kind["group"]}/` : "";
      byKind.set(`${group}${textAt(kind, "version")} ${textAt(kind, "kind")}`, definition);
    }
  }
  return {
    ofKind(apiVersion, kind) {
      const found = byKind.get(`${apiVersion} ${kind}`);
      return found && new OpenApiSchema(found, definitions);
    },
  };
}

class OpenApiSchema implements MergeSchema {
  readonly #schema: JsonObject;
  readonly #definitions: JsonObject;

  constructor(schema: JsonObject, definitions: JsonObject) {
    this.#schema = schema;
    this.#definitions = definitions;
  }

  field(name: string): MergeSchema | undefined {
    const { properties, additionalProperties } = this.#schema;
    const own = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
    return this.#below(own ?? additionalProperties);
  }

  elements(): MergeSchema | undefined {
    return this.#schema["type"] === "array" ? this.#below(this.#schema["items"]) : undefined;
  }

  get mergeKeys(): readonly string[] | undefined {
    const strategy = this.#schema["x-kubernetes-patch-strategy"];
    if (typeof strategy !== "string" || !strategy.split(",").includes("merge")) return undefined;
    const keys = this.#schema["x-kubernetes-list-map-keys"];
    if (Array.isArray(keys)) return keys.map(String);
    const key = this.#schema["x-kubernetes-patch-merge-key"];
    return typeof key === "string" ? [key] : [];
  }

  #below(schema: Json | undefined): MergeSchema | undefined {
    let here = schema;
    for (let step = 0; step < LONGEST_CHAIN && isObject(here); step++) {
      const reference = here["$ref"];
      if (typeof reference !== "string") return new OpenApiSchema(here, this.#definitions);
      const name = reference.replace(/^#\/definitions\//, "");
      here = Object.hasOwn(this.#definitions, name) ? this.#definitions[name] : undefined;
    }
    return undefined;
  }
}
