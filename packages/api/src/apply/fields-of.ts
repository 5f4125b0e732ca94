import { isObject, type Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { FieldSet } from "./field-set.ts";
import { belowField, elementOf, shapeOf } from "./list-elements.ts";

/** All fields that a value has: what its applier owns. */
export function fieldsOf(schema: Schema, value: Json): FieldSet {
  const set = new FieldSet();
  collect(schema, value, set);
  return set;
}

function collect(schema: Schema, value: Json, set: FieldSet): void {
  switch (shapeOf(schema, value)) {
    case "whole":
      set.member = true;
      return;
    case "items":
      for (const item of value as Json[]) {
        const child = set.child(elementOf(schema, item));
        if (isObject(item)) collect(schema.items ?? {}, item, child);
        child.member = true;
      }
      return;
    case "fields":
      for (const [field, item] of Object.entries(value as object) as [string, Json | undefined][]) {
        if (item === undefined) continue;
        const child = set.child(`f:${field}`);
        collect(belowField(schema, field), item, child);
        const isEmpty = item === null || (isObject(item) && Object.keys(item).length === 0);
        if (isEmpty || schema.properties?.has(field) !== true) child.member = true;
      }
  }
}
