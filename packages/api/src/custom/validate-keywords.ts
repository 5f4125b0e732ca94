import type { Turns } from "@boxship/base";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { listAt, textAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, MOST_TOLD, notSupported, required } from "../status/field-error.ts";
import { isSet, propertiesOf } from "./validate-structure.ts";

/** Parts of a schema that are looked at before others have a turn. */
const TURN = 2000;

export interface Keywords {
  readonly errors: readonly FieldError[];
  /** A keyword that no structural schema has: nothing can be said of its structure. */
  readonly unsupported: string | undefined;
  readonly hasDefaults: boolean;
}

interface Look {
  readonly errors: FieldError[];
  readonly pace: { left: number };
  readonly found: { unsupported: string | undefined; hasDefaults: boolean };
}

interface Place {
  readonly path: string;
  readonly isRoot: boolean;
  /** Why there may be no default. */
  readonly noDefault?: string;
  /** In what every object has, of the object itself or of one within it. */
  readonly insideMeta: boolean;
}

/** What is wrong with the keywords of a schema, each by itself. Gives way now and then. */
export function* validateKeywords(schema: JsonObject, path: string): Turns<Keywords> {
  const look: Look = { errors: [], pace: { left: TURN }, found: { unsupported: undefined, hasDefaults: false } };
  yield* walk(schema, { path, isRoot: true, insideMeta: false }, look);
  return { errors: look.errors, ...look.found };
}

const META = new Set(["metadata", "kind", "apiVersion"]);
const EMBEDDED = "x-kubernetes-embedded-resource";

function* walk(schema: Json | undefined, place: Place, look: Look): Turns<void> {
  const { errors, pace } = look;
  if (!isObject(schema ?? null) || errors.length > MOST_TOLD) return;
  const props = schema as JsonObject;
  if (pace.left-- <= 0) {
    pace.left = TURN;
    yield undefined;
  }
  standardErrors(props, place, look);
  const { path, insideMeta } = place;
  const inner: Place = { ...place, isRoot: false };
  const { additionalProperties } = props;
  if (isSet(props["uniqueItems"]))
    errors.push(
      forbiddenField(
        `${path}.uniqueItems`,
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  const properties = propertiesOf(props);
  if (additionalProperties !== undefined && additionalProperties !== null) {
    const at = `${path}.additionalProperties`;
    if (properties.length > 0 && additionalProperties !== true)
      errors.push(forbiddenField(at, "additionalProperties and properties are mutual exclusive"));
    const noDefault = insideMeta ? { noDefault: "inside additionalProperties applying to object metadata" } : {};
    yield* walk(additionalProperties, { ...inner, ...noDefault, path: at }, look);
  }
  for (const [name, below] of properties) {
    const isMeta = (place.isRoot || props[EMBEDDED] === true) && META.has(name);
    yield* walk(
      below,
      {
        ...inner,
        path: `${path}.properties[${name}]`,
        insideMeta: insideMeta || isMeta,
        ...(isMeta && place.isRoot ? { noDefault: `in top-level ${name}` } : {}),
      },
      look,
    );
  }
  yield* walk(props["not"], { ...inner, path: `${path}.not` }, look);
  for (const junctor of ["allOf", "oneOf", "anyOf"])
    for (const [index, one] of listAt(props, junctor).entries())
      yield* walk(one, { ...inner, path: `${path}.${junctor}[${index}]` }, look);
  yield* walk(props["items"], { ...inner, path: `${path}.items` }, look);
  mergeErrors(props, path, errors);
}

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

/** In the order in which upstream finds that it has no schema of one. */
const UNSUPPORTED = ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];

function standardErrors(props: JsonObject, { path, noDefault, insideMeta }: Place, { errors, found }: Look): void {
  const type = textAt(props, "type");
  if (type !== "" && !TYPES.includes(type)) errors.push(notSupported(`${path}.type`, type, TYPES));
  if (props["default"] !== undefined && props["default"] !== null) {
    found.hasDefaults = true;
    if (noDefault !== undefined) errors.push(forbiddenField(`${path}.default`, `must not be set ${noDefault}`));
  }
  for (const keyword of UNSUPPORTED) {
    if (!isSet(props[keyword]) && !(keyword === "additionalItems" && props[keyword] === false)) continue;
    found.unsupported ??= `OpenAPIV3Schema '${keyword.replace("$schema", "schema")}' is not supported`;
    if (keyword !== "$schema") errors.push(forbiddenField(`${path}.${keyword}`, `${keyword} is not supported`));
  }
  if (type === "null")
    errors.push(forbiddenField(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (Array.isArray(props["items"])) {
    found.unsupported ??= "OpenAPIV3Schema 'items' must be a schema, but is an array";
    errors.push(forbiddenField(`${path}.items`, "items must be a schema object and not an array"));
  }
  if (insideMeta && props[EMBEDDED] === true)
    errors.push(forbiddenField(`${path}.${EMBEDDED}`, "must not be used inside of resource meta"));
  if (props["x-kubernetes-preserve-unknown-fields"] === false) {
    found.unsupported ??= "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  }
}

const [LIST_TYPE, LIST_KEYS, MAP_TYPE] = [
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
];

/** What is wrong with how lists and objects are merged. */
function mergeErrors(props: JsonObject, path: string, errors: FieldError[]): void {
  const type = textAt(props, "type");
  const [listType, mapType] = [props[LIST_TYPE] ?? undefined, props[MAP_TYPE] ?? undefined];
  const wrongType = (must: string): FieldError =>
    type === "" ? required(`${path}.type`, must) : invalid(`${path}.type`, type, must);
  if (mapType !== undefined && type !== "object") errors.push(wrongType(`must be object if ${MAP_TYPE} is specified`));
  if (mapType !== undefined && mapType !== "atomic" && mapType !== "granular")
    errors.push(notSupported(`${path}.${MAP_TYPE}`, mapType, ["atomic", "granular"]));
  const keys = listAt(props, LIST_KEYS).map((key) => textAt(key));
  if (listType === undefined) {
    if (keys.length > 0) errors.push(required(`${path}.${LIST_TYPE}`, `must be map if ${LIST_KEYS} is non-empty`));
    return;
  }
  const items = isObject(props["items"] ?? null) ? (props["items"] as JsonObject) : undefined;
  if (type !== "array") errors.push(wrongType(`must be array if ${LIST_TYPE} is specified`));
  else if (listType === "set" && items !== undefined) setErrors(items, `${path}.items`, errors);
  if (listType !== "atomic" && listType !== "set" && listType !== "map")
    errors.push(notSupported(`${path}.${LIST_TYPE}`, listType, ["atomic", "set", "map"]));
  if (keys.length > 0 && listType !== "map")
    errors.push(invalid(`${path}.${LIST_TYPE}`, listType, `must be map if ${LIST_KEYS} is non-empty`));
  if (listType === "map") mapErrors(props, items, keys, { path, errors });
  if ((listType === "map" || listType === "set") && items?.["nullable"] === true)
    errors.push(forbiddenField(`${path}.items.nullable`, `cannot be nullable when ${LIST_TYPE} is ${listType}`));
}

/** Members of a set are compared as a whole. */
function setErrors(items: JsonObject, path: string, errors: FieldError[]): void {
  const must = `must be atomic as item of a list with ${LIST_TYPE}=set`;
  const listType = items[LIST_TYPE] ?? undefined;
  const type = textAt(items, "type");
  if (type === "array" && listType !== undefined && listType !== "atomic")
    errors.push(invalid(`${path}.${LIST_TYPE}`, listType, must));
  // Upstream shows the other type.
  if (type === "object" && items[MAP_TYPE] !== "atomic") errors.push(invalid(`${path}.${MAP_TYPE}`, listType, must));
}

interface Found {
  readonly path: string;
  readonly errors: FieldError[];
}

function mapErrors(
  props: JsonObject,
  items: JsonObject | undefined,
  keys: readonly string[],
  { path, errors }: Found,
): void {
  if (keys.length === 0) errors.push(required(`${path}.${LIST_KEYS}`, `must not be empty if ${LIST_TYPE} is map`));
  if (items === undefined) {
    if (props["items"] === undefined)
      errors.push(required(`${path}.items`, `must have a schema if ${LIST_TYPE} is map`));
    else errors.push(invalid(`${path}.items`, props["items"], `must only have a single schema if ${LIST_TYPE} is map`));
    return;
  }
  const type = textAt(items, "type");
  const scalar = `if parent array's ${LIST_TYPE} is map`;
  if (type !== "object") errors.push(invalid(`${path}.items.type`, type, `must be object ${scalar}`));
  const properties = new Map(propertiesOf(items));
  const needed = new Set(listAt(items, "required").map((name) => textAt(name)));
  const seen = new Set<string>();
  for (const key of keys) {
    const property = properties.get(key);
    const at = `${path}.items.properties[${key}]`;
    if (type === "object") {
      const isWhole = ["array", "object"].includes(textAt(property, "type"));
      // Upstream shows the type of the item.
      if (isWhole) errors.push(invalid(`${at}.type`, type, `must be a scalar type ${scalar}`));
      if (property === undefined)
        errors.push(invalid(`${path}.${LIST_KEYS}`, [...keys], "entries must all be names of item properties"));
      if (seen.has(key)) errors.push(invalid(`${path}.${LIST_KEYS}`, [...keys], "must not contain duplicate entries"));
      seen.add(key);
    }
    if (property === undefined) continue;
    const inKeys = `this property is in ${LIST_KEYS}, so it`;
    if (!needed.has(key) && (property["default"] ?? null) === null)
      errors.push(required(`${at}.default`, `${inKeys} must have a default or be a required property`));
    if (property["nullable"] === true) errors.push(forbiddenField(`${at}.nullable`, `${inKeys} cannot be nullable`));
  }
}
