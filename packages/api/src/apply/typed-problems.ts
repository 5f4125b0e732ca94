import { isBigInteger } from "../object/big-integer.ts";
import { goSyntax, goText } from "../object/go-text.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { elementText } from "./field-set.ts";
import { elementOf } from "./list-elements.ts";

/** Problems of one configuration that are told. */
const MOST_TOLD = 100;

/**
 * What keeps a configuration from being applied by the server: fields that the schema does not know, values of another
 * type, items of a list that cannot be told apart. Each with its path, in upstream's words.
 */
export function typedProblems(schema: Schema, value: Json): readonly string[] {
  const problems: string[] = [];
  look(schema, value, "", problems);
  return problems;
}

function look(schema: Schema, value: Json, path: string, problems: string[]): void {
  if (value === null || problems.length >= MOST_TOLD) return;
  const tell = (what: string): void => void problems.push(path === "" ? what : `${path}: ${what}`);
  if (isScalarOfAnyType(schema)) {
    if (typeof value === "object" && !isBigInteger(value)) tell(`expected any scalar, got ${plain(value)}`);
    return;
  }
  switch (schema.type) {
    case undefined:
      return;
    case "object":
      if (isObject(value)) lookAtFields(schema, value, path, problems);
      else tell(`expected map, got ${plain(value)}`);
      return;
    case "array":
      if (Array.isArray(value)) lookAtItems(schema, value, path, problems);
      else tell(`expected list, got ${plain(value)}`);
      return;
    case "string":
      if (typeof value !== "string") tell(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
      return;
    case "boolean":
      if (typeof value !== "boolean") tell(`expected boolean, got ${plain(value)}`);
      return;
    default:
      if (typeof value !== "number" && !isBigInteger(value))
        tell(`expected numeric (int or float), got ${goType(value)}`);
  }
}

/** Of these the type says nothing to server-side apply. */
const isScalarOfAnyType = ({ intOrString, type, format, definition }: Schema): boolean =>
  intOrString === true ||
  (type === "string" && (format === "quantity" || (format === "date-time" && definition !== undefined)));

function lookAtFields(schema: Schema, value: JsonObject, path: string, problems: string[]): void {
  const { properties, additional, preserveUnknown, embedded } = schema;
  const keepsAll = preserveUnknown === true || (properties === undefined && additional === undefined);
  for (const [field, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const below = properties?.get(field) ?? additional;
    if (below !== undefined) look(below, item, `${path}.${field}`, problems);
    else if (!keepsAll && !(embedded === true && OF_EVERY_OBJECT.has(field)) && problems.length < MOST_TOLD)
      problems.push(`${path}.${field}: field not declared in schema`);
  }
}

const OF_EVERY_OBJECT: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

function lookAtItems(schema: Schema, items: readonly Json[], path: string, problems: string[]): void {
  const { listType = "atomic", listKeys = [] } = schema;
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    if (problems.length >= MOST_TOLD) return;
    const tell = (what: string): void => void problems.push(path === "" ? what : `${path}: ${what}`);
    if (listType === "atomic") {
      look(schema.items ?? {}, item, `${path}[${index}]`, problems);
      continue;
    }
    const problem = listType === "map" ? keyProblem(schema, item) : valueProblem(item);
    if (problem !== undefined) {
      tell(`element ${index}: ${problem}`);
      return;
    }
    const element = elementOf(schema, item);
    const text = listType === "map" && listKeys.length > 0 ? elementText(element) : `[=${goSyntax(item)}]`;
    if (seen.has(element)) tell(`duplicate entries for key ${text}`);
    seen.add(element);
    look(schema.items ?? {}, item, `${path}${text}`, problems);
  }
}

function keyProblem(list: Schema, item: Json): string | undefined {
  if (item === null) return "associative list with keys may not have a null element";
  if (!isObject(item)) return "associative list with keys may not have non-map elements";
  if (elementOf(list, item) !== "k:{}") return undefined;
  const keys = (list.listKeys ?? []).map((key) => JSON.stringify(key)).join(" ");
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
}

function valueProblem(item: Json): string | undefined {
  if (item === null) return "associative list without keys has an element that's an explicit null";
  if (isBigInteger(item)) return undefined;
  if (Array.isArray(item)) return "not supported: associative list with lists as elements";
  return isObject(item) ? "associative list without keys has an element that's a map type" : undefined;
}

const plain = (value: Json): string => `&{${goText(value)}}`;

function goType(value: Json): string {
  if (isObject(value)) return "map[string]interface {}";
  return Array.isArray(value) ? "[]interface {}" : typeof value === "boolean" ? "bool" : typeof value;
}
