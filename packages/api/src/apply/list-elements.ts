import { getField, isObject, type Json, type JsonObject } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";

/** How server-side apply sees a value: as one, by its fields, or by its items. */
export type Shape = "whole" | "fields" | "items";

export function shapeOf(schema: Schema, value: Json | undefined): Shape {
  if (Array.isArray(value)) return schema.listType === "map" || schema.listType === "set" ? "items" : "whole";
  if (!isObject(value)) return "whole";
  return schema.mapType === "atomic" || schema.intOrString === true ? "whole" : "fields";
}

/** The path element of a list's item. */
export function elementOf(list: Schema, item: Json): string {
  if (list.listType === "set" || !isObject(item)) return `v:${JSON.stringify(item)}`;
  const keys: JsonObject = {};
  for (const key of [...(list.listKeys ?? [])].sort()) {
    const value = getField(item, key) ?? list.items?.properties?.get(key)?.default;
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** Items by their path elements; of several with the same, the first. */
export function itemsByElement(list: Schema, items: readonly Json[]): Map<string, Json> {
  const found = new Map<string, Json>();
  for (const item of items) {
    const element = elementOf(list, item);
    if (!found.has(element)) found.set(element, item);
  }
  return found;
}

/** The schema of an object's field. */
export function belowField(schema: Schema, field: string): Schema {
  return schema.properties?.get(field) ?? schema.additional ?? {};
}
