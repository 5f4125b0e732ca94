import { deepCopy, getField, isObject, type Json, setField } from "../object/json.ts";
import type { Schema } from "./schema.ts";

/** Fills in the defaults of the schema, in place: where a field is absent, or null and not nullable. */
export function applyDefaults(schema: Schema, value: Json): void {
  if (typeof value !== "object" || value === null || !hasDefaults(schema)) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined && hasFields(items)) for (const item of value) applyDefaults(items, item);
    return;
  }
  if (!isObject(value)) return;
  const { properties, additional } = schema;
  for (const [field, below] of defaultedOf(schema)) {
    let item = getField(value, field);
    if ((item === undefined || (item === null && !below.nullable)) && below.default !== undefined) {
      item = deepCopy(below.default);
      setField(value, field, item);
    }
    if (item !== undefined) applyDefaults(below, item);
  }
  if (additional === undefined || !hasFields(additional) || !hasDefaults(additional)) return;
  for (const [field, item] of Object.entries(value)) {
    if (item !== undefined && properties?.has(field) !== true) applyDefaults(additional, item);
  }
}

const hasFields = ({ type }: Schema): boolean => type === "object" || type === "array";

const known = new WeakMap<Schema, boolean>();
const defaulted = new WeakMap<Schema, readonly (readonly [string, Schema])[]>();

const NONE: readonly (readonly [string, Schema])[] = [];

/** Properties that have defaults, or below which there are some: most have none, and many schemas have thousands. */
function defaultedOf(schema: Schema): readonly (readonly [string, Schema])[] {
  if (schema.properties === undefined) return NONE;
  let list = defaulted.get(schema);
  if (list === undefined) {
    list = [...schema.properties].filter(([, below]) => below.default !== undefined || hasDefaults(below));
    defaulted.set(schema, list);
  }
  return list;
}

/** Whether there are defaults anywhere below. Schemas may contain themselves. */
function hasDefaults(schema: Schema): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  const seen = new Set<Schema>([schema]);
  let found = false;
  // What is added while it goes on is looked at, too.
  for (const one of seen) {
    const below = [one.items, one.additional, ...(one.properties?.values() ?? [])];
    if (one !== schema && known.get(one) === false) continue;
    found = below.some((next) => next !== undefined && (next.default !== undefined || known.get(next) === true));
    if (found) break;
    for (const next of below) if (next !== undefined) seen.add(next);
  }
  // Where there is none, there is none below any of them.
  if (found) known.set(schema, true);
  else for (const one of seen) known.set(one, false);
  return found;
}
