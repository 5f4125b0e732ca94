import { getField, isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { belowField, elementOf, itemsByElement, shapeOf } from "./list-elements.ts";

/** The value with what was applied put over it. @returns a new value that may share with both */
export function mergeTyped(schema: Schema, live: Json | undefined, applied: Json): Json {
  if (live === undefined || shapeOf(schema, live) !== shapeOf(schema, applied)) return applied;
  switch (shapeOf(schema, applied)) {
    case "whole":
      return applied;
    case "items":
      return mergeItems(schema, live as Json[], applied as Json[]);
    case "fields": {
      const result: JsonObject = { ...(live as JsonObject) };
      for (const [field, item] of Object.entries(applied as JsonObject)) {
        if (item !== undefined)
          setField(result, field, mergeTyped(belowField(schema, field), getField(result, field), item));
      }
      return result;
    }
  }
}

/** In the order of what is there; items that are new come after the one that they were applied after. */
function mergeItems(schema: Schema, live: readonly Json[], applied: readonly Json[]): Json[] {
  const result = [...live];
  const places = new Map(result.map((item, index) => [elementOf(schema, item), index]));
  for (const [element, item] of itemsByElement(schema, applied)) {
    const at = places.get(element);
    if (at === undefined) {
      places.set(element, result.length);
      result.push(item);
    } else if (isObject(item)) result[at] = mergeTyped(schema.items ?? {}, result[at], item);
  }
  return result;
}
