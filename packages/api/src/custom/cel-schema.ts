import { type CelType, DYN, listOf, mapOf, parseType, simple } from "../cel/types.ts";
import { fromJson, parseDuration, parseTimestamp, type Value } from "../cel/values.ts";
import { isObject, type Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";

/** Words of the language that fields may be called, too. */
const WORDS = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return".split(" "),
);

/** A field's name in expressions: what no name may have in it is spelled out. */
export function escapeField(field: string): string | undefined {
  if (WORDS.has(field)) return `__${field}__`;
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(field)) return field.replaceAll("__", "__underscores__");
  if (!/^[A-Za-z_][A-Za-z0-9_./-]*$/.test(field)) return undefined;
  return field
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}

/** Of metadata, rules see the names alone. */
const METADATA: CelType = {
  kind: "object",
  name: "ObjectMeta",
  fields: new Map([
    ["name", simple("string")],
    ["generateName", simple("string")],
  ]),
};

const NO_DEFINITIONS: ReadonlySet<string> = new Set();

const FORMATS: Readonly<Record<string, string>> = {
  byte: "bytes",
  "date-time": "timestamp",
  date: "timestamp",
  duration: "duration",
};

/**
 * What `self` is where the rules of a schema are.
 *
 * @param path of the schema, which names its type
 * @param around definitions that it is within: one that is within itself ends there
 */
export function celTypeOf(
  schema: Schema,
  path = "object",
  isRoot = false,
  around: ReadonlySet<string> = NO_DEFINITIONS,
): CelType {
  const { definition } = schema;
  if (schema.intOrString || (definition !== undefined && around.has(definition))) return DYN;
  const inside = definition === undefined ? around : new Set([...around, definition]);
  switch (schema.type) {
    case "array":
      return listOf(celTypeOf(schema.items ?? {}, `${path}.@items`, false, inside));
    case "boolean":
      return simple("bool");
    case "integer":
      return simple("int");
    case "number":
      return simple("double");
    case "string":
      return parseType(FORMATS[schema.format ?? ""] ?? "string");
    case "object":
      return objectType(schema, path, isRoot || schema.embedded === true, inside);
    case undefined:
      return DYN;
  }
}

function objectType(schema: Schema, path: string, isWhole: boolean, inside: ReadonlySet<string>): CelType {
  if (schema.additional !== undefined)
    return mapOf(simple("string"), celTypeOf(schema.additional, `${path}.@values`, false, inside));
  if (schema.properties === undefined && schema.preserveUnknown && !isWhole) return DYN;
  const fields = new Map<string, CelType>();
  for (const [field, below] of schema.properties ?? []) {
    const name = escapeField(field);
    if (name !== undefined) fields.set(name, celTypeOf(below, `${path}.${field}`, false, inside));
  }
  if (isWhole) fields.set("apiVersion", simple("string")).set("kind", simple("string")).set("metadata", METADATA);
  return { kind: "object", name: path, fields };
}

/** A value as rules see it. */
export function celValueOf(schema: Schema, value: Json | undefined): Value {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map((item) => celValueOf(schema.items ?? {}, item));
  if (isObject(value)) {
    const map = new Map<Value, Value>();
    for (const [field, item] of Object.entries(value)) {
      if (item === undefined) continue;
      const below = schema.properties?.get(field);
      const name = below === undefined ? field : escapeField(field);
      if (name !== undefined) map.set(name, celValueOf(below ?? schema.additional ?? {}, item));
    }
    return map;
  }
  if (typeof value === "string") return textValue(schema.format, value);
  // A whole number is a double, too, where the schema says number.
  if (typeof value === "number" && schema.type === "number") return value;
  return fromJson(value);
}

function textValue(format: string | undefined, text: string): Value {
  switch (format) {
    case "byte":
      return Buffer.from(text, "base64");
    case "date-time":
      return parseTimestamp(text) ?? text;
    case "date":
      return parseTimestamp(`${text}T00:00:00Z`) ?? text;
    case "duration":
      return parseDuration(text) ?? text;
    default:
      return text;
  }
}
