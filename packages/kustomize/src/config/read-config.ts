import { getField, isObject, type Json, type JsonObject } from "@boxship/api";
import { decode } from "../decode/shape.ts";
import { transformerConfig } from "../decode/shapes.ts";
import { doing } from "../failure.ts";
import type { FieldSpec } from "../fields/field-spec.ts";
import type { FieldSpecEntry } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import { parseYaml } from "../yaml/parse.ts";
import { resolveScalar11 } from "../yaml/resolve-scalar.ts";
import { toJson11 } from "../yaml/to-json.ts";
import {
  type BackReference,
  defaultConfig,
  EMPTY_CONFIG,
  mergeConfigs,
  type TransformerConfig,
} from "./transformer-config.ts";

/** What is changed where, by the files of a kustomization's `configurations` and by default. */
export async function readConfigurations(loader: Loader, paths: readonly string[]): Promise<TransformerConfig> {
  let config = EMPTY_CONFIG;
  for (const path of paths) {
    const text = await loader.loadText(path);
    config = mergeConfigs(config, parseConfig(text));
  }
  return paths.length === 0 ? defaultConfig() : mergeConfigs(defaultConfig(), config);
}

function parseConfig(text: string): TransformerConfig {
  const json = readJson(text);
  const fields = doing("error unmarshaling JSON: while decoding JSON", () => decode(json, transformerConfig));
  const sections = Object.entries(fields).map(([section, list]) => {
    const entries = (Array.isArray(list) ? list : []) as JsonObject[];
    return [section, section === "nameReference" ? entries.map(toReference) : entries.map(toFieldSpec)];
  });
  return { ...EMPTY_CONFIG, ...(Object.fromEntries(sections) as Partial<TransformerConfig>) };
}

/** A text as JSON, by the rules for configuration. */
export function readJson(text: string): Json {
  const node = parseYaml(text, resolveScalar11);
  return node === undefined ? null : toJson11(node);
}

export function toFieldSpec(entry: FieldSpecEntry): FieldSpec {
  const { group = "", version = "", kind = "", path = "", create = false } = entry;
  return { group, version, kind, path, create };
}

function toReference(entry: JsonObject): BackReference {
  const {
    group = "",
    version = "",
    kind = "",
    fieldSpecs = [],
  } = entry as FieldSpecEntry & {
    readonly fieldSpecs?: readonly FieldSpecEntry[];
  };
  return { group, version, kind, fieldSpecs: fieldSpecs.map(toFieldSpec) };
}

/** What the OpenAPI definitions of custom kinds say about names, labels and annotations in their fields. */
export async function readCrdConfig(loader: Loader, paths: readonly string[]): Promise<TransformerConfig> {
  let config = EMPTY_CONFIG;
  for (const path of paths) {
    const json = readJson(await loader.loadText(path));
    if (!isObject(json)) continue;
    for (const [name, definition] of Object.entries(json)) {
      if (!looksLikeKind(propertiesOf(definition))) continue;
      const kind = name.split(".").at(-1) ?? "";
      config = mergeConfigs(config, configOf(json, name, { group: "", version: "", kind }, [], new Set()));
    }
  }
  return config;
}

/** A definition's properties; each stands in `Schema.properties`. */
function propertiesOf(definition: Json | undefined): JsonObject {
  const schema = isObject(definition) ? (definition["Schema"] ?? definition["schema"]) : undefined;
  const properties = isObject(schema) ? schema["properties"] : undefined;
  return isObject(properties) ? properties : {};
}

const looksLikeKind = (properties: JsonObject): boolean =>
  ["kind", "apiVersion", "metadata"].every((field) => getField(properties, field) !== undefined);

function configOf(
  definitions: JsonObject,
  name: string,
  gvk: Omit<FieldSpec, "path" | "create">,
  path: readonly string[],
  visited: ReadonlySet<string>,
): TransformerConfig {
  let config = EMPTY_CONFIG;
  if (visited.has(name)) return config;
  for (const [property, schema] of Object.entries(propertiesOf(getField(definitions, name)))) {
    if (!isObject(schema)) continue;
    const at = (...more: readonly string[]): FieldSpec => ({
      ...gvk,
      path: [...path, property, ...more].join("/"),
      create: false,
    });
    const text = (extension: string): string | undefined => {
      const value = schema[`x-kubernetes-${extension}`];
      return typeof value === "string" ? value : undefined;
    };
    const found: Partial<Record<keyof TransformerConfig, unknown[]>> = {};
    if (text("annotation") !== undefined) found.commonAnnotations = [at()];
    if (text("label-selector") !== undefined) found.commonLabels = [at()];
    if (text("identity") !== undefined) found.namePrefix = [at()];
    const [version, kind] = [text("object-ref-api-version"), text("object-ref-kind")];
    if (version !== undefined && kind !== undefined) {
      found.nameReference = [{ group: "", version, kind, fieldSpecs: [at(text("object-ref-name-key") ?? "name")] }];
    }
    if (Object.keys(found).length > 0)
      config = mergeConfigs(config, { ...EMPTY_CONFIG, ...(found as Partial<TransformerConfig>) });
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const below = configOf(definitions, reference, gvk, [...path, property], new Set([...visited, name]));
      config = mergeConfigs(config, below);
    }
  }
  return config;
}
