import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import type { FieldSet } from "./field-set.ts";
import { belowField, elementOf, shapeOf } from "./list-elements.ts";

/**
 * The value without the fields of a set, except for those that must be kept. What is left with nothing in it, goes too.
 *
 * @returns undefined where nothing is left
 */
export function removeFields(
  schema: Schema,
  value: Json,
  gone: FieldSet,
  kept: FieldSet | undefined,
): Json | undefined {
  const keeps = kept !== undefined && !kept.isEmpty;
  switch (shapeOf(schema, value)) {
    case "whole":
      return gone.member && !keeps ? undefined : value;
    case "items": {
      const items = (value as Json[]).flatMap((item) => {
        const element = elementOf(schema, item);
        const child = gone.children.get(element);
        if (child === undefined) return [item];
        const left = removeItem(schema.items ?? {}, item, child, kept?.children.get(element));
        return left === undefined ? [] : [left];
      });
      return items.length === 0 && !keeps ? undefined : items;
    }
    case "fields": {
      const result: JsonObject = {};
      let changed = false;
      for (const [field, item] of Object.entries(value as JsonObject)) {
        if (item === undefined) continue;
        const child = gone.children.get(`f:${field}`);
        const left =
          child === undefined
            ? item
            : removeFields(belowField(schema, field), item, child, kept?.children.get(`f:${field}`));
        if (left !== item) changed = true;
        if (left !== undefined) setField(result, field, left);
      }
      if (!changed) return gone.member && !keeps && Object.keys(result).length === 0 ? undefined : value;
      return Object.keys(result).length === 0 && !keeps ? undefined : result;
    }
  }
}

/** An item goes with all that is in it, unless somebody else has a part of it. */
function removeItem(schema: Schema, item: Json, gone: FieldSet, kept: FieldSet | undefined): Json | undefined {
  const keeps = kept !== undefined && !kept.isEmpty;
  if (gone.member && !keeps) return undefined;
  return isObject(item) ? (removeFields(schema, item, gone, kept) ?? item) : item;
}
