import { deepEqual, getField, isObject, type Json } from "../object/json.ts";
import { dropsEmpty } from "../protobuf/zero-values.ts";
import type { Schema } from "../schema/schema.ts";
import { FieldSet } from "./field-set.ts";
import { belowField, itemsByElement, shapeOf } from "./list-elements.ts";

/** What differs between two values. */
export interface FieldChanges {
  /** Added, or of another value. */
  readonly set: FieldSet;
  readonly removed: FieldSet;
}

export interface CompareOptions {
  /** Built-in kinds have some objects always, which therefore are never added. */
  readonly builtin: boolean;
}

export function compareFields(
  schema: Schema,
  before: Json | undefined,
  now: Json | undefined,
  options: CompareOptions,
): FieldChanges {
  const changes = { set: new FieldSet(), removed: new FieldSet() };
  compare(schema, before, now, changes.set, changes.removed, options);
  return changes;
}

function compare(
  schema: Schema,
  before: Json | undefined,
  now: Json | undefined,
  set: FieldSet,
  removed: FieldSet,
  options: CompareOptions,
): void {
  if (before === now) return;
  const [shapeBefore, shapeNow] = [shapeOf(schema, before), shapeOf(schema, now)];
  const shape = now === undefined ? shapeBefore : shapeNow;
  const isLeaf =
    shape === "whole" ||
    (before !== undefined && now !== undefined && shapeBefore !== shapeNow) ||
    (isBare(before) && isBare(now));
  if (isLeaf) {
    if (now === undefined) removed.member = true;
    else if (before === undefined || !deepEqual(before, now)) set.member = true;
    return;
  }
  if (shape === "items") compareItems(schema, (before ?? []) as Json[], (now ?? []) as Json[], set, removed, options);
  else compareObjects(schema, before, now, set, removed, options);
}

/** An object or list with nothing in it, or none. */
const isBare = (value: Json | undefined): boolean =>
  value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

function compareObjects(
  schema: Schema,
  before: Json | undefined,
  now: Json | undefined,
  set: FieldSet,
  removed: FieldSet,
  options: CompareOptions,
): void {
  const [old, fresh] = [isObject(before) ? before : {}, isObject(now) ? now : {}];
  for (const field of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    const [left, right] = [getField(old, field), getField(fresh, field)];
    if (left === right) continue;
    const [child, gone] = [new FieldSet(), new FieldSet()];
    compare(belowField(schema, field), left, right, child, gone, options);
    const always = options.builtin && schema.properties?.has(field) === true && dropsEmpty(field);
    if (right !== undefined && left === undefined && !always) child.member = true;
    if (left !== undefined && right === undefined) gone.member = true;
    if (!child.isEmpty) set.put(`f:${field}`, child);
    if (!gone.isEmpty) removed.put(`f:${field}`, gone);
  }
}

function compareItems(
  schema: Schema,
  before: readonly Json[],
  now: readonly Json[],
  set: FieldSet,
  removed: FieldSet,
  options: CompareOptions,
): void {
  const [old, fresh] = [itemsByElement(schema, before), itemsByElement(schema, now)];
  for (const element of new Set([...old.keys(), ...fresh.keys()])) {
    const [left, right] = [old.get(element), fresh.get(element)];
    const [child, gone] = [new FieldSet(), new FieldSet()];
    compare(schema.items ?? {}, left, right, child, gone, options);
    if (left === undefined) child.member = true;
    if (right === undefined) gone.member = true;
    if (!child.isEmpty) set.put(element, child);
    if (!gone.isEmpty) removed.put(element, gone);
  }
}
