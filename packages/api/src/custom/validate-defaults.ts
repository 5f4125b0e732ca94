import type { Turns } from "@boxship/base";
import { getField, isObject, type Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { type FieldError, invalid, MOST_TOLD } from "../status/field-error.ts";
import { validateSchema } from "../validation/validate-schema.ts";
import { validateCelRules } from "./validate-cel-rules.ts";

/** Parts of a schema that are looked at before others have a turn. */
const TURN = 2000;

interface Look {
  readonly errors: FieldError[];
  readonly pace: { left: number };
}

/**
 * What is wrong with the defaults of a schema: fields that would be pruned, and what the schema itself finds wrong. Gives
 * way now and then.
 */
export function* validateDefaults(schema: Schema, path: string): Turns<readonly FieldError[]> {
  const look: Look = { errors: [], pace: { left: TURN } };
  yield* walk({ ...schema, embedded: true }, { path, isRoot: true, insideMeta: false }, look);
  return look.errors;
}

interface Place {
  readonly path: string;
  /** Of a whole object, or of one within it. */
  readonly isRoot: boolean;
  readonly insideMeta: boolean;
}

const META = new Set(["metadata", "kind", "apiVersion"]);

function* walk(schema: Schema, place: Place, look: Look): Turns<void> {
  const { errors, pace } = look;
  if (errors.length > MOST_TOLD) return;
  if (pace.left-- <= 0) {
    pace.left = TURN;
    yield undefined;
  }
  const insideMeta = place.insideMeta && schema.embedded !== true;
  const isRoot = place.isRoot || schema.embedded === true;
  if (schema.default !== undefined && schema.default !== null) {
    const at = `${place.path}.default`;
    if (!insideMeta && hasUnknown(schema, schema.default))
      errors.push(invalid(at, schema.default, "must not have unknown fields"));
    for (const error of yield* ownErrors(schema, schema.default, isRoot))
      errors.push({ ...error, field: error.field === "" ? at : `${at}.${error.field}` });
  }
  // What holds for all values of a map has no name that a default could be told by.
  if (schema.items !== undefined)
    yield* walk(schema.items, { path: `${place.path}.items`, isRoot: false, insideMeta }, look);
  for (const [name, below] of schema.properties ?? []) {
    const isMeta = insideMeta || (schema.embedded === true && META.has(name));
    yield* walk(below, { path: `${place.path}.properties[${name}]`, isRoot: false, insideMeta: isMeta }, look);
  }
}

function* ownErrors(schema: Schema, value: Json, isRoot: boolean): Turns<readonly FieldError[]> {
  // Lists' keys are looked at where an object is kept.
  const errors = (yield* validateSchema(schema, value)).filter(({ reason }) => reason !== "FieldValueDuplicate");
  if (errors.length > 0) return errors;
  const same = yield* validateCelRules(schema, value, value, isRoot);
  return same.length > 0 ? same : yield* validateCelRules(schema, value, undefined, isRoot);
}

/** Whether a value has fields that would be pruned. */
function hasUnknown(schema: Schema | undefined, value: Json): boolean {
  if (Array.isArray(value)) return value.some((item) => hasUnknown(schema?.items, item));
  if (!isObject(value)) return false;
  return Object.keys(value).some((name) => {
    if (schema?.embedded === true && META.has(name)) return false;
    const below = schema?.properties?.get(name) ?? schema?.additional;
    const item = getField(value, name) ?? null;
    return below === undefined ? schema?.preserveUnknown !== true : hasUnknown(below, item);
  });
}
