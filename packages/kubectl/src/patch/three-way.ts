import { deepEqual, getField, isObject, type Json, type JsonObject, type Schema, setField } from "@boxship/api";

/**
 * The strategic merge patch that brings what is there to what is wanted: what was applied before and is wanted no
 * longer goes, what others have set stays. Without a schema it is a plain merge patch: lists are taken whole.
 *
 * @param original what was applied before
 */
export function threeWayPatch(
  schema: Schema | undefined,
  original: JsonObject,
  modified: JsonObject,
  current: JsonObject,
): JsonObject {
  const patch: JsonObject = {};
  for (const field of Object.keys(modified)) {
    const wanted = getField(modified, field);
    if (wanted === undefined) continue;
    diffField(patch, schema, field, wanted, getField(original, field), getField(current, field));
  }
  for (const field of Object.keys(original)) {
    if (getField(modified, field) === undefined && getField(original, field) !== null) setField(patch, field, null);
  }
  return patch;
}

const fieldSchema = (schema: Schema | undefined, field: string): Schema | undefined =>
  schema?.properties?.get(field) ?? schema?.additional;

function diffField(
  patch: JsonObject,
  schema: Schema | undefined,
  field: string,
  wanted: Json,
  before: Json | undefined,
  there: Json | undefined,
): void {
  const own = fieldSchema(schema, field);
  if (isObject(wanted) && isObject(there)) {
    if (own?.patchStrategy?.has("replace") === true) {
      if (!deepEqual(wanted, there)) setField(patch, field, { ...wanted, $patch: "replace" });
      return;
    }
    const below = threeWayPatch(own, isObject(before) ? before : {}, wanted, there);
    if (Object.keys(below).length === 0) return;
    if (own?.patchStrategy?.has("retainKeys") === true) below["$retainKeys"] = Object.keys(wanted).sort();
    setField(patch, field, below);
  } else if (Array.isArray(wanted) && Array.isArray(there) && own?.patchStrategy?.has("merge") === true) {
    diffMergedList(patch, own, field, wanted, Array.isArray(before) ? before : [], there);
  } else if (there === undefined ? wanted !== null : !deepEqual(wanted, there)) setField(patch, field, wanted);
}

function diffMergedList(
  patch: JsonObject,
  schema: Schema,
  field: string,
  wanted: readonly Json[],
  before: readonly Json[],
  there: readonly Json[],
): void {
  const key = schema.patchMergeKey;
  if (key === undefined) {
    diffPrimitives(patch, field, wanted, before, there);
    return;
  }
  const keyOf = (item: Json): Json => (isObject(item) ? (getField(item, key) ?? null) : item);
  const find = (list: readonly Json[], item: Json) => list.find((one) => deepEqual(keyOf(one), keyOf(item)));
  const items: Json[] = [];
  for (const item of wanted) {
    const match = find(there, item);
    if (!isObject(match) || !isObject(item)) {
      items.push(item);
      continue;
    }
    const old = find(before, item);
    const below = threeWayPatch(schema.items, isObject(old) ? old : {}, item, match);
    if (Object.keys(below).length > 0) items.push({ ...below, [key]: keyOf(item) });
  }
  for (const item of before) {
    if (find(wanted, item) === undefined && find(there, item) !== undefined) {
      items.push({ $patch: "delete", [key]: keyOf(item) });
    }
  }
  if (items.length > 0) setField(patch, field, items);
  const order = wanted.map((item) => ({ [key]: keyOf(item) }));
  const present = there.filter((item) => find(wanted, item) !== undefined).map((item) => ({ [key]: keyOf(item) }));
  const known = order.filter((item) => find(there, item) !== undefined);
  if (items.length > 0 || !deepEqual(present, known)) setField(patch, `$setElementOrder/${field}`, order);
}

function diffPrimitives(
  patch: JsonObject,
  field: string,
  wanted: readonly Json[],
  before: readonly Json[],
  there: readonly Json[],
): void {
  const has = (list: readonly Json[], item: Json): boolean => list.some((one) => deepEqual(one, item));
  const added = wanted.filter((item) => !has(there, item));
  const gone = before.filter((item) => !has(wanted, item) && has(there, item));
  if (added.length > 0) setField(patch, field, [...added]);
  if (gone.length > 0) setField(patch, `$deleteFromPrimitiveList/${field}`, [...gone]);
  if (added.length > 0 || gone.length > 0) setField(patch, `$setElementOrder/${field}`, [...wanted]);
}
