import { deepEqual, getField, isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { badRequest } from "../status/failures.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_LIST = "$deleteFromPrimitiveList/";
const ORDER = "$setElementOrder/";

/**
 * A strategic merge patch: a merge patch in which lists are merged by a key where the schema says so, with directives
 * (`$patch: replace | merge | delete`, `$retainKeys`, `$deleteFromPrimitiveList/x`, `$setElementOrder/x`).
 *
 * @returns a new value that may share with both
 * @throws BadRequest
 */
export function applyStrategicMergePatch(schema: Schema, document: Json, patch: Json): Json {
  if (!isObject(patch)) throw badRequest("json: cannot unmarshal array into Go value of type map[string]interface {}");
  return mergeObject(schema, isObject(document) ? document : {}, patch) ?? {};
}

/** @returns undefined where the patch deletes it */
function mergeObject(schema: Schema, document: JsonObject, patch: JsonObject): JsonObject | undefined {
  const directive = getField(patch, DIRECTIVE);
  if (directive === "replace") return withoutDirectives(patch) as JsonObject;
  if (directive === "delete") return undefined;
  if (directive !== undefined && directive !== "merge") {
    throw badRequest(`Unknown directive: ${JSON.stringify(directive)}: possible values are replace, merge and delete`);
  }
  const result: JsonObject = { ...document };
  retainKeys(result, patch);
  for (const field of Object.keys(patch)) {
    const value = getField(patch, field);
    if (value === undefined || field === DIRECTIVE || field === RETAIN_KEYS || field.startsWith(ORDER)) continue;
    if (field.startsWith(DELETE_LIST)) deletePrimitives(result, field.slice(DELETE_LIST.length), value);
    else mergeField(schema, result, patch, field, value);
  }
  orderOnly(schema, result, patch);
  return result;
}

function mergeField(schema: Schema, result: JsonObject, patch: JsonObject, field: string, value: Json): void {
  if (value === null) {
    delete result[field];
    return;
  }
  const below = fieldSchema(schema, field);
  const before = getField(result, field);
  if (isObject(value)) {
    const strategy = below.patchStrategy;
    const replaces = strategy?.has("replace") === true;
    const merged = replaces
      ? (withoutDirectives(value) as JsonObject)
      : mergeObject(below, isObject(before) ? before : {}, value);
    if (merged === undefined) delete result[field];
    else setField(result, field, merged);
  } else if (Array.isArray(value)) {
    const order = getField(patch, `${ORDER}${field}`);
    setField(
      result,
      field,
      mergeList(below, Array.isArray(before) ? before : [], value, Array.isArray(order) ? order : undefined),
    );
  } else setField(result, field, value);
}

function fieldSchema(schema: Schema, field: string): Schema {
  return schema.properties?.get(field) ?? schema.additional ?? {};
}

function retainKeys(result: JsonObject, patch: JsonObject): void {
  const kept = getField(patch, RETAIN_KEYS);
  if (kept === undefined) return;
  if (!Array.isArray(kept)) throw badRequest(`${RETAIN_KEYS} must be a list`);
  for (const field of Object.keys(result)) if (!kept.includes(field)) delete result[field];
}

function mergeList(schema: Schema, before: Json[], patch: Json[], order: readonly Json[] | undefined): Json[] {
  if (schema.patchStrategy?.has("merge") !== true) return withoutDirectives(patch) as Json[];
  const key = schema.patchMergeKey;
  if (key === undefined) {
    const merged = [...before];
    for (const item of patch) if (!merged.some((one) => deepEqual(one, item))) merged.push(item);
    return order === undefined ? merged : ordered(merged, order, before, (item) => item);
  }
  const items = schema.items ?? {};
  if (patch.some((item) => isObject(item) && getField(item, DIRECTIVE) === "replace")) {
    return patch.filter((item) => isObject(item) && getField(item, DIRECTIVE) === undefined).map(withoutDirectives);
  }
  let merged = [...before];
  for (const item of patch) merged = mergeItem(items, merged, item, key);
  return order === undefined
    ? merged
    : ordered(merged, order, before, (item) => (isObject(item) ? (getField(item, key) ?? null) : item));
}

function mergeItem(schema: Schema, list: Json[], item: Json, key: string): Json[] {
  if (!isObject(item)) throw badRequest("list element is not an object although its list is merged by a key");
  const value = getField(item, key);
  if (value === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  const isSame = (one: Json): boolean => isObject(one) && deepEqual(getField(one, key), value);
  const at = list.findIndex(isSame);
  if (getField(item, DIRECTIVE) === "delete") return list.filter((one) => !isSame(one));
  if (at < 0) return [...list, mergeObject(schema, {}, item) ?? {}];
  const merged = mergeObject(schema, list[at] as JsonObject, item);
  return merged === undefined ? list.filter((_, index) => index !== at) : list.with(at, merged);
}

function deletePrimitives(result: JsonObject, field: string, value: Json): void {
  const before = getField(result, field);
  if (!Array.isArray(before)) return;
  if (!Array.isArray(value)) throw badRequest(`${DELETE_LIST}${field} must be a list`);
  setField(
    result,
    field,
    before.filter((item) => !value.some((one) => deepEqual(one, item))),
  );
}

/** An order alone also sorts a list that the patch does not change otherwise. */
function orderOnly(schema: Schema, result: JsonObject, patch: JsonObject): void {
  for (const field of Object.keys(patch)) {
    if (!field.startsWith(ORDER)) continue;
    const name = field.slice(ORDER.length);
    const list = getField(result, name);
    const order = getField(patch, field);
    if (getField(patch, name) !== undefined || !Array.isArray(list) || !Array.isArray(order)) continue;
    const key = fieldSchema(schema, name).patchMergeKey;
    const keyOf = (item: Json): Json => (key !== undefined && isObject(item) ? (getField(item, key) ?? null) : item);
    setField(result, name, ordered(list, order, list, keyOf));
  }
}

/** Items in the order that was asked for; those that it does not name keep their place relative to what was there. */
function ordered(
  list: readonly Json[],
  order: readonly Json[],
  before: readonly Json[],
  keyOf: (item: Json) => Json,
): Json[] {
  const wanted = order.map((item) => JSON.stringify(isObject(item) ? keyOf(item) : item));
  const rank = (item: Json): number => wanted.indexOf(JSON.stringify(keyOf(item)));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const others = list.filter((item) => rank(item) < 0);
  const place = new Map(before.map((item, index) => [JSON.stringify(keyOf(item)), index]));
  const placeOf = (item: Json): number => place.get(JSON.stringify(keyOf(item))) ?? Number.POSITIVE_INFINITY;
  const result: Json[] = [];
  for (const item of named) {
    while (others[0] !== undefined && placeOf(others[0]) < placeOf(item)) result.push(others.shift() as Json);
    result.push(item);
  }
  return [...result, ...others];
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && getField(item, DIRECTIVE) === "delete")).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [field, item] of Object.entries(value)) {
    if (item === undefined || item === null || field === DIRECTIVE || field === RETAIN_KEYS) continue;
    if (!field.startsWith(ORDER) && !field.startsWith(DELETE_LIST)) setField(result, field, withoutDirectives(item));
  }
  return result;
}
