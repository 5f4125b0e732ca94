import { getField, isObject, type Json, type JsonObject, setField } from "../object/json.ts";
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
  const names = new Set(kept);
  for (const field of Object.keys(result)) if (!names.has(field)) delete result[field];
}

function mergeList(schema: Schema, before: Json[], patch: Json[], order: readonly Json[] | undefined): Json[] {
  if (schema.patchStrategy?.has("merge") !== true) return withoutDirectives(patch) as Json[];
  const key = schema.patchMergeKey;
  if (key === undefined) {
    const merged = [...before];
    const there = new Set(before.map(identityOf));
    for (const item of patch) {
      const identity = identityOf(item);
      if (!there.has(identity)) merged.push(item);
      there.add(identity);
    }
    return order === undefined ? merged : ordered(merged, order, before, (item) => item);
  }
  const items = schema.items ?? {};
  if (patch.some((item) => isObject(item) && getField(item, DIRECTIVE) === "replace")) {
    return patch.filter((item) => isObject(item) && getField(item, DIRECTIVE) === undefined).map(withoutDirectives);
  }
  const merged = mergeItems(items, before, patch, key);
  return order === undefined
    ? merged
    : ordered(merged, order, before, (item) => (isObject(item) ? (getField(item, key) ?? null) : item));
}

function mergeItems(schema: Schema, before: readonly Json[], patch: readonly Json[], key: string): Json[] {
  const merged: (Json | undefined)[] = [...before];
  /** Where items of a key are. */
  const places = new Map<string, number[]>();
  const note = (item: Json, at: number): void => {
    const value = isObject(item) ? getField(item, key) : undefined;
    if (value === undefined) return;
    const identity = identityOf(value);
    const same = places.get(identity);
    if (same === undefined) places.set(identity, [at]);
    else same.push(at);
  };
  for (const [at, item] of before.entries()) note(item, at);
  for (const item of patch) {
    if (!isObject(item)) throw badRequest("list element is not an object although its list is merged by a key");
    const value = getField(item, key);
    if (value === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const same = places.get(identityOf(value)) ?? [];
    const [at] = same;
    if (getField(item, DIRECTIVE) === "delete") {
      for (const one of same.splice(0)) merged[one] = undefined;
    } else if (at === undefined) {
      const made = mergeObject(schema, {}, item) ?? {};
      note(made, merged.push(made) - 1);
    } else {
      merged[at] = mergeObject(schema, merged[at] as JsonObject, item);
      if (merged[at] === undefined) same.shift();
    }
  }
  return merged.filter((item) => item !== undefined);
}

/** Equal for values that are equal. */
function identityOf(value: Json): string {
  if (typeof value === "string") return `"${value}`;
  return JSON.stringify(isObject(value) || Array.isArray(value) ? sorted(value) : value);
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const field of Object.keys(value).sort()) setField(result, field, sorted(value[field] ?? null));
  return result;
}

function deletePrimitives(result: JsonObject, field: string, value: Json): void {
  const before = getField(result, field);
  if (!Array.isArray(before)) return;
  if (!Array.isArray(value)) throw badRequest(`${DELETE_LIST}${field} must be a list`);
  const gone = new Set(value.map(identityOf));
  setField(
    result,
    field,
    before.filter((item) => !gone.has(identityOf(item))),
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
  const ranks = new Map<string, number>();
  for (const [rank, item] of order.entries()) {
    const identity = identityOf(isObject(item) ? keyOf(item) : item);
    if (!ranks.has(identity)) ranks.set(identity, rank);
  }
  const places = new Map(before.map((item, index) => [identityOf(keyOf(item)), index]));
  const all = list.map((item) => {
    const identity = identityOf(keyOf(item));
    return { item, rank: ranks.get(identity), place: places.get(identity) ?? Number.POSITIVE_INFINITY };
  });
  const named = all.filter(({ rank }) => rank !== undefined).sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
  const others = all.filter(({ rank }) => rank === undefined);
  const result: Json[] = [];
  let next = 0;
  for (const { item, place } of named) {
    for (; next < others.length && (others[next]?.place ?? 0) < place; next++) result.push(others[next]?.item ?? null);
    result.push(item);
  }
  return [...result, ...others.slice(next).map(({ item }) => item)];
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
