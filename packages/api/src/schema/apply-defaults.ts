import { deepCopy, getField, isObject, type Json, setField } from "../object/json.ts";
import type { Schema } from "./schema.ts";

/** Fills in the defaults of the schema, in place: where a field is absent, or null and not nullable. */
export function applyDefaults(schema: Schema, value: Json): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined && hasFields(items)) for (const item of value) applyDefaults(items, item);
    return;
  }
  if (!isObject(value)) return;
  const { properties, additional } = schema;
  if (properties !== undefined) {
    for (const [field, below] of properties) {
      let item = getField(value, field);
      if ((item === undefined || (item === null && !below.nullable)) && below.default !== undefined) {
        item = deepCopy(below.default);
        setField(value, field, item);
      }
      if (item !== undefined && item !== null && typeof item === "object") applyDefaults(below, item);
    }
  }
  if (additional === undefined || !hasFields(additional)) return;
  for (const [field, item] of Object.entries(value)) {
    if (item !== undefined && properties?.has(field) !== true) applyDefaults(additional, item);
  }
}

const hasFields = ({ type }: Schema): boolean => type === "object" || type === "array";
