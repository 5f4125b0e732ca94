import { isBigInteger } from "./big-integer.ts";

/** A value as JSON has it. Integers that no number has exactly are {@link BigInteger}s. Fields that are absent and fields that are undefined are the same. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [field: string]: Json | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isBigInteger(value);
}

/** Sets a field whatever its name is: `__proto__` is one like any other. */
export function setField(object: JsonObject, field: string, value: Json): void {
  if (field !== "__proto__") object[field] = value;
  else Object.defineProperty(object, field, { value, enumerable: true, configurable: true, writable: true });
}

/** The object's own field; nothing that it inherits. */
export function getField(object: JsonObject, field: string): Json | undefined {
  return Object.hasOwn(object, field) ? object[field] : undefined;
}

export function deepEqual(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (isBigInteger(left)) return isBigInteger(right) && left.value === right.value;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => deepEqual(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const fields = Object.keys(left);
  if (fields.length !== Object.keys(right).length) return false;
  return fields.every((field) => Object.hasOwn(right, field) && deepEqual(left[field], right[field]));
}

/** A copy that shares nothing with the original. */
export function deepCopy<T extends Json | undefined>(value: T): T {
  if (Array.isArray(value)) return value.map((item) => deepCopy(item)) as T;
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const [field, item] of Object.entries(value)) if (item !== undefined) setField(copy, field, deepCopy(item));
  return copy as T;
}
