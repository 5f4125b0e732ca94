import type { Turns } from "@boxship/base";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { listAt, textAt } from "../object/kube-object.ts";
import { asText, type FieldError, forbiddenField, invalid, MOST_TOLD, required } from "../status/field-error.ts";
import { patternProblem } from "../validation/validate-schema.ts";
import { completenessErrors } from "./validate-completeness.ts";

/** Parts of a schema that are looked at before others have a turn. */
const TURN = 2000;
/** A pattern, which has to be compiled, is as much as so many of them. */
const PATTERN = 50;

type Level = "root" | "item" | "field";

interface Look {
  readonly errors: FieldError[];
  /** What may be looked at in this turn. */
  readonly pace: { left: number };
}

/**
 * Why a schema is not structural: what every value is must be said apart from what it may be. Sorted by text. Gives way
 * now and then.
 */
export function* structureErrors(schema: JsonObject, path: string): Turns<readonly FieldError[]> {
  const errors: FieldError[] = [];
  yield* invariants(schema, "root", path, { errors, pace: { left: TURN } });
  for (const error of completenessErrors(schema, path)) errors.push(error);
  const texts = new Map(errors.map((error) => [error, asText(error)]));
  return errors.toSorted((a, b) => ((texts.get(a) ?? "") < (texts.get(b) ?? "") ? -1 : 1));
}

/** Whether a field of a schema says something: Go's zero values do not. */
export function isSet(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === "") return false;
  return Array.isArray(value) ? value.length > 0 : true;
}

/** Properties of a schema; those of nothing are schemas of nothing. */
export function propertiesOf(schema: JsonObject): readonly (readonly [string, JsonObject])[] {
  const { properties } = schema;
  if (!isObject(properties)) return [];
  return Object.entries(properties).map(([name, below]) => [name, isObject(below) ? below : {}] as const);
}

function takeTurn(pace: { left: number }): boolean {
  if (pace.left-- > 0) return false;
  pace.left = TURN;
  return true;
}

function* invariants(schema: JsonObject, level: Level, path: string, look: Look): Turns<void> {
  const { errors, pace } = look;
  if (errors.length > MOST_TOLD) return;
  if (takeTurn(pace)) yield undefined;
  const { items, additionalProperties } = schema;
  if (textAt(schema, "type") === "array" && !isObject(items))
    errors.push(required(`${path}.items`, "must be specified"));
  if (isObject(items)) yield* invariants(items, "item", `${path}.items`, look);
  for (const [name, below] of propertiesOf(schema))
    yield* invariants(below, "field", `${path}.properties[${name}]`, look);
  if (additionalProperties !== undefined && additionalProperties !== null) {
    if (level === "root") errors.push(forbiddenField(`${path}.additionalProperties`, "must not be used at the root"));
    if (isObject(additionalProperties))
      yield* invariants(additionalProperties, "field", `${path}.additionalProperties`, look);
  }
  yield* junctors(
    schema,
    { skipAnyOf: isIntOrString(schema["anyOf"]), skipFirst: startsIntOrString(schema) },
    path,
    look,
  );
  typeErrors(schema, level, path, errors);
  metaErrors(schema, level, path, errors);
}

const EMBEDDED = "x-kubernetes-embedded-resource";
const INT_OR_STRING = "x-kubernetes-int-or-string";
const PRESERVE = "x-kubernetes-preserve-unknown-fields";

const EMPTY_TYPE = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
} as const;

function typeErrors(schema: JsonObject, level: Level, path: string, errors: FieldError[]): void {
  const type = textAt(schema, "type");
  const [embedded, intOrString] = [schema[EMBEDDED] === true, schema[INT_OR_STRING] === true];
  const preserve = schema[PRESERVE] === true;
  const why = `must be false if ${INT_OR_STRING} is true`;
  if (intOrString && preserve) errors.push(invalid(`${path}.${PRESERVE}`, true, why));
  if (intOrString && embedded) errors.push(invalid(`${path}.${EMBEDDED}`, true, why));
  if (embedded && type !== "object") {
    const must = `must be object if ${EMBEDDED} is true`;
    errors.push(type === "" ? required(`${path}.type`, must) : invalid(`${path}.type`, type, must));
  } else if (type === "" && !intOrString && !preserve) errors.push(required(`${path}.type`, EMPTY_TYPE[level]));
  if (embedded && schema["additionalProperties"] !== undefined)
    errors.push(forbiddenField(`${path}.additionalProperties`, `must not be used if ${EMBEDDED} is set`));
  if (level === "root" && type !== "" && type !== "object")
    errors.push(invalid(`${path}.type`, type, "must be object at the root"));
  if (embedded && !preserve && propertiesOf(schema).length === 0) {
    const must = `must not be empty if ${EMBEDDED} is true without ${PRESERVE}`;
    errors.push(required(`${path}.properties`, must));
  }
}

/** What every object has is known: a schema restricts no more of it than names. */
function metaErrors(schema: JsonObject, level: Level, path: string, errors: FieldError[]): void {
  const { properties } = schema;
  if (!isObject(properties) || (level !== "root" && schema[EMBEDDED] !== true)) return;
  for (const name of ["kind", "apiVersion"]) {
    const type = textAt(properties, name, "type");
    if (Object.hasOwn(properties, name) && type !== "string")
      errors.push(invalid(`${path}.properties[${name}].type`, type, "must be string"));
  }
  if (!Object.hasOwn(properties, "metadata")) return;
  const at = `${path}.properties[metadata]`;
  const metadata = isObject(properties["metadata"]) ? properties["metadata"] : {};
  const type = textAt(metadata, "type");
  if (type !== "object") errors.push(invalid(`${at}.type`, type, "must be object"));
  if (level !== "root") return;
  const names = propertiesOf(metadata).map(([name]) => name);
  const onlyNames = names.every((name) => name === "name" || name === "generateName");
  const more = Object.entries(metadata).some(
    ([field, value]) =>
      !["type", "default", "properties"].includes(field) &&
      (isSet(value) || (field === "additionalProperties" && value === false)),
  );
  if (!onlyNames || more) {
    const why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
    errors.push(forbiddenField(at, why));
  }
}

const saysOnlyType = (schema: Json | undefined, type: string): boolean =>
  isObject(schema ?? null) &&
  Object.entries(schema as JsonObject).every(([field, value]) => (field === "type" ? value === type : !isSet(value))) &&
  (schema as JsonObject)["type"] === type;

/** As a field that takes numbers and texts says so, in a way that other readers of the schema understand, too. */
const isIntOrString = (anyOf: Json | undefined): boolean =>
  Array.isArray(anyOf) && anyOf.length === 2 && saysOnlyType(anyOf[0], "integer") && saysOnlyType(anyOf[1], "string");

function startsIntOrString(schema: JsonObject): boolean {
  const [first] = listAt(schema, "allOf");
  return isObject(first ?? null) && isIntOrString((first as JsonObject)["anyOf"]);
}

interface Skip {
  readonly skipAnyOf: boolean;
  /** `anyOf` of the first of `allOf`. */
  readonly skipFirst: boolean;
}

const NOTHING_SKIPPED: Skip = { skipAnyOf: false, skipFirst: false };

/** What stands in `allOf`, `anyOf`, `oneOf` and `not` of a schema. */
function* junctors(schema: JsonObject, { skipAnyOf, skipFirst }: Skip, path: string, look: Look): Turns<void> {
  for (const junctor of ["anyOf", "allOf", "oneOf"]) {
    if (junctor === "anyOf" && skipAnyOf) continue;
    for (const [index, one] of listAt(schema, junctor).entries()) {
      const skip = { skipAnyOf: skipFirst && junctor === "allOf" && index === 0, skipFirst: false };
      if (isObject(one)) yield* nested(one, skip, `${path}.${junctor}[${index}]`, look);
    }
  }
  if (isObject(schema["not"] ?? null)) yield* nested(schema["not"] as JsonObject, NOTHING_SKIPPED, `${path}.not`, look);
  const { pattern } = schema;
  if (typeof pattern !== "string" || pattern === "") return;
  look.pace.left -= PATTERN;
  const problem = patternProblem(pattern);
  if (problem === undefined) return;
  look.errors.push(invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${problem}`));
}

/** Fields that say what a value is, and have no place where only is said what it may be. */
const FORBIDDEN = [
  ["type", "must be empty to be structural"],
  ["additionalProperties", "must be undefined to be structural"],
  ["default", "must be undefined to be structural"],
  ["title", "must be empty to be structural"],
  ["description", "must be empty to be structural"],
  ["nullable", "must be false to be structural"],
  [PRESERVE, "must be false to be structural"],
  [EMBEDDED, "must be false to be structural"],
  [INT_OR_STRING, "must be false to be structural"],
  ["x-kubernetes-list-map-keys", "must be empty to be structural"],
  ["x-kubernetes-list-type", "must be undefined to be structural"],
  ["x-kubernetes-map-type", "must be undefined to be structural"],
  ["x-kubernetes-validations", "must be empty to be structural"],
] as const;

/** A default is set whatever it is, but for null. */
const isSaid = (field: string, value: Json | undefined): boolean =>
  field === "default" ? value !== undefined && value !== null : isSet(value);

function* nested(schema: JsonObject, skip: Skip, path: string, look: Look): Turns<void> {
  const { errors, pace } = look;
  if (errors.length > MOST_TOLD) return;
  if (takeTurn(pace)) yield undefined;
  yield* junctors(schema, skip, path, look);
  if (isObject(schema["items"] ?? null))
    yield* nested(schema["items"] as JsonObject, NOTHING_SKIPPED, `${path}.items`, look);
  for (const [name, below] of propertiesOf(schema)) {
    const at = `${path}.properties[${name}]`;
    yield* nested(below, NOTHING_SKIPPED, at, look);
    if (name === "metadata") errors.push(forbiddenField(at, "must not be specified in a nested context"));
  }
  for (const [field, why] of FORBIDDEN)
    if (isSaid(field, schema[field])) errors.push(forbiddenField(`${path}.${field}`, why));
}
