import { RE2JS } from "re2js";
import { isBigInteger, isInteger } from "../object/big-integer.ts";
import { deepEqual, getField, isObject, type Json } from "../object/json.ts";
import type { Schema, ValueRules } from "../schema/schema.ts";
import {
  duplicate,
  type FieldError,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from "../status/field-error.ts";

/** Schemas inside of each other that are looked into. */
const DEEPEST = 200;

/** All that a custom object's schema finds wrong with it, in upstream's words. */
export function validateSchema(schema: Schema, value: Json, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  check(schema, value, path, errors, 0);
  return errors;
}

function check(schema: Schema, value: Json, path: string, errors: FieldError[], depth: number): void {
  if (depth > DEEPEST) return;
  if (value === null) {
    if (!schema.nullable && schema.type !== undefined) errors.push(wrongType(schema, value, path));
    return;
  }
  if (!hasType(schema, value)) {
    errors.push(wrongType(schema, value, path));
    return;
  }
  if (schema.rules !== undefined) checkRules(schema.rules, value, path, errors, depth);
  if (Array.isArray(value)) checkList(schema, value, path, errors, depth);
  else if (isObject(value)) {
    for (const field of schema.required ?? []) {
      if (getField(value, field) === undefined) errors.push(required(join(path, field)));
    }
    for (const [field, item] of Object.entries(value)) {
      const below = schema.properties?.get(field) ?? schema.additional;
      if (below === undefined || item === undefined) continue;
      const at = schema.properties?.has(field) ? join(path, field) : `${path}[${field}]`;
      check(below, item, at === `[${field}]` ? field : at, errors, depth + 1);
    }
  }
}

const join = (path: string, field: string): string => (path === "" ? field : `${path}.${field}`);

function checkList(schema: Schema, value: Json[], path: string, errors: FieldError[], depth: number): void {
  const { items, listType, listKeys = [] } = schema;
  if (items !== undefined)
    for (const [index, item] of value.entries()) check(items, item, `${path}[${index}]`, errors, depth + 1);
  if (listType !== "set" && listType !== "map") return;
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const key =
      listType === "set" ? item : listKeys.map((name) => (isObject(item) ? (getField(item, name) ?? null) : null));
    const text = JSON.stringify(key);
    if (seen.has(text)) {
      const shown =
        listType === "set"
          ? item
          : Object.fromEntries(listKeys.map((name) => [name, isObject(item) ? item[name] : null]));
      errors.push(duplicate(`${path}[${index}]`, shown));
    }
    seen.add(text);
  }
}

function hasType({ type, intOrString }: Schema, value: Json): boolean {
  if (intOrString) return typeof value === "string" || isInteger(value);
  switch (type) {
    case undefined:
      return true;
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return isInteger(value);
    default:
      return typeof value === type || (type === "number" && isBigInteger(value));
  }
}

function wrongType({ type, intOrString }: Schema, value: Json, path: string): FieldError {
  const found = value === null ? "null" : Array.isArray(value) ? "array" : isInteger(value) ? "integer" : typeof value;
  return typeInvalid(
    path,
    found,
    `${path} in body must be of type ${intOrString ? "integer,string" : type}: ${JSON.stringify(found)}`,
  );
}

function checkRules(rules: ValueRules, value: Json, path: string, errors: FieldError[], depth: number): void {
  const bad = (detail: string): void => void errors.push(invalid(path, value, `${path} in body ${detail}`));
  if (rules.enum !== undefined && !rules.enum.some((one) => deepEqual(one, value))) {
    errors.push(
      notSupported(
        path,
        value,
        rules.enum.map((one) => (typeof one === "string" ? one : JSON.stringify(one))),
      ),
    );
  }
  if (typeof value === "string") checkText(rules, value, path, errors, bad);
  if (typeof value === "number" || isBigInteger(value)) checkNumber(rules, Number(value), bad);
  if (Array.isArray(value)) {
    if (rules.minItems !== undefined && value.length < rules.minItems)
      bad(`should have at least ${rules.minItems} items`);
    if (rules.maxItems !== undefined && value.length > rules.maxItems)
      errors.push(tooMany(path, value.length, rules.maxItems));
    if (rules.uniqueItems && new Set(value.map((one) => JSON.stringify(one))).size < value.length)
      bad("shouldn't contain duplicates");
  } else if (isObject(value)) {
    const count = Object.keys(value).length;
    if (rules.minProperties !== undefined && count < rules.minProperties)
      bad(`should have at least ${rules.minProperties} properties`);
    if (rules.maxProperties !== undefined && count > rules.maxProperties)
      errors.push(tooMany(path, count, rules.maxProperties));
  }
  checkAlternatives(rules, value, path, errors, bad, depth);
}

function checkText(
  rules: ValueRules,
  value: string,
  path: string,
  errors: FieldError[],
  bad: (detail: string) => void,
): void {
  const length = Array.from(value).length;
  if (rules.minLength !== undefined && length < rules.minLength)
    bad(`should be at least ${rules.minLength} chars long`);
  if (rules.maxLength !== undefined && length > rules.maxLength) errors.push(tooLong(path, rules.maxLength));
  if (rules.pattern !== undefined && !matches(rules.pattern, value)) bad(`should match '${rules.pattern}'`);
}

function checkNumber(rules: ValueRules, value: number, bad: (detail: string) => void): void {
  const { minimum, maximum, multipleOf } = rules;
  if (minimum !== undefined) {
    if (rules.exclusiveMinimum && value <= minimum) bad(`should be greater than ${minimum}`);
    else if (value < minimum) bad(`should be greater than or equal to ${minimum}`);
  }
  if (maximum !== undefined) {
    if (rules.exclusiveMaximum && value >= maximum) bad(`should be less than ${maximum}`);
    else if (value > maximum) bad(`should be less than or equal to ${maximum}`);
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) bad(`should be a multiple of ${multipleOf}`);
}

function checkAlternatives(
  rules: ValueRules,
  value: Json,
  path: string,
  errors: FieldError[],
  bad: (detail: string) => void,
  depth: number,
): void {
  const holds = (one: Schema): boolean => {
    const found: FieldError[] = [];
    check(one, value, path, found, depth + 1);
    return found.length === 0;
  };
  for (const one of rules.allOf ?? []) check(one, value, path, errors, depth + 1);
  if (rules.anyOf !== undefined && !rules.anyOf.some(holds)) bad("must validate at least one schema (anyOf)");
  if (rules.oneOf !== undefined && rules.oneOf.filter(holds).length !== 1)
    bad("must validate one and only one schema (oneOf)");
  if (rules.not !== undefined && holds(rules.not)) bad("must not validate the schema (not)");
}

const compiled = new Map<string, RE2JS>();

/** Why a text is no regular expression; undefined for one that is. */
export function patternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Go's regular expressions, which take time in proportion to the text. */
function matches(pattern: string, value: string): boolean {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = RE2JS.compile(pattern);
    if (compiled.size > 1000) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression.test(value);
}
