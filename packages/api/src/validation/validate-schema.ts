import type { Turns } from "@boxship/base";
import { isBigInteger, isInteger } from "../object/big-integer.ts";
import { deepEqual, getField, isObject, type Json } from "../object/json.ts";
import { compilePattern } from "../patterns/search.ts";
import { matchInTurns } from "../patterns/search-in-turns.ts";
import type { Schema, ValueRules } from "../schema/schema.ts";
import {
  duplicate,
  type FieldError,
  invalid,
  MOST_TOLD,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from "../status/field-error.ts";
import { hasFormat } from "./string-formats.ts";
import { embeddedErrors } from "./validate-embedded.ts";

/** Schemas inside of each other that are looked into. */
const DEEPEST = 200;

/** A pattern, which has to be compiled, is as much as so many values. */
const PATTERN = 20;
/** Values, patterns and alternatives that are looked at before others have a turn. */
const TURN = 1000;

/**
 * What a custom object's schema finds wrong with it, in upstream's words: all of it, or more than are told. Gives way
 * now and then.
 */
export function* validateSchema(schema: Schema, value: Json, path = ""): Turns<FieldError[]> {
  const errors: FieldError[] = [];
  yield* check(schema, value, path, { errors, depth: 0, pace: { left: TURN } });
  return errors;
}

interface Look {
  readonly errors: FieldError[];
  readonly depth: number;
  /** What may be looked at in this turn. */
  readonly pace: { left: number };
}

const below = ({ errors, depth, pace }: Look, into = errors): Look => ({ errors: into, depth: depth + 1, pace });

function* check(schema: Schema, value: Json, path: string, look: Look): Turns<void> {
  const { errors, depth, pace } = look;
  if (depth > DEEPEST || errors.length > MOST_TOLD) return;
  if (pace.left-- <= 0) {
    pace.left = TURN;
    yield undefined;
  }
  if (value === null) {
    if (!schema.nullable && schema.type !== undefined) errors.push(wrongType(schema, value, path));
    return;
  }
  if (!hasType(schema, value)) {
    errors.push(wrongType(schema, value, path));
    return;
  }
  if (typeof value === "string" && schema.type === "string" && schema.format !== undefined)
    if (!hasFormat(schema.format, value))
      errors.push(invalid(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`));
  if (schema.rules !== undefined) yield* checkRules(schema.rules, value, path, look);
  if (Array.isArray(value)) yield* checkList(schema, value, path, look);
  else if (isObject(value)) {
    if (schema.embedded === true) errors.push(...embeddedErrors(value, path));
    for (const field of schema.required ?? []) {
      if (getField(value, field) === undefined) errors.push(required(join(path, field)));
    }
    for (const [field, item] of Object.entries(value)) {
      const own = schema.properties?.get(field) ?? schema.additional;
      if (own === undefined || item === undefined) continue;
      const at = schema.properties?.has(field) ? join(path, field) : `${path}[${field}]`;
      yield* check(own, item, at === `[${field}]` ? field : at, below(look));
    }
  }
}

const join = (path: string, field: string): string => (path === "" ? field : `${path}.${field}`);

function* checkList(schema: Schema, value: Json[], path: string, look: Look): Turns<void> {
  const { errors } = look;
  const { items, listType, listKeys = [] } = schema;
  if (items !== undefined)
    for (const [index, item] of value.entries()) yield* check(items, item, `${path}[${index}]`, below(look));
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

function* checkRules(rules: ValueRules, value: Json, path: string, look: Look): Turns<void> {
  const { errors } = look;
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
  if (typeof value === "string") yield* checkText(rules, value, path, look, bad);
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
  yield* checkAlternatives(rules, value, path, look, bad);
}

function* checkText(
  rules: ValueRules,
  value: string,
  path: string,
  { errors, pace }: Look,
  bad: (detail: string) => void,
): Turns<void> {
  const length = Array.from(value).length;
  if (rules.minLength !== undefined && length < rules.minLength)
    bad(`should be at least ${rules.minLength} chars long`);
  if (rules.maxLength !== undefined && length > rules.maxLength) errors.push(tooLong(path, rules.maxLength));
  if (rules.pattern === undefined) return;
  pace.left -= PATTERN;
  if (!(yield* matchInTurns(rules.pattern, value))) bad(`should match '${rules.pattern}'`);
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

function* checkAlternatives(
  rules: ValueRules,
  value: Json,
  path: string,
  look: Look,
  bad: (detail: string) => void,
): Turns<void> {
  for (const one of rules.allOf ?? []) yield* check(one, value, path, below(look));
  if (rules.anyOf !== undefined && (yield* holding(rules.anyOf, value, path, look, 1)) === 0)
    bad("must validate at least one schema (anyOf)");
  if (rules.oneOf !== undefined && (yield* holding(rules.oneOf, value, path, look, 2)) !== 1)
    bad("must validate one and only one schema (oneOf)");
  if (rules.not !== undefined && (yield* holding([rules.not], value, path, look, 1)) === 1)
    bad("must not validate the schema (not)");
}

/** How many of some schemas hold for a value; no more than `most` are counted. */
function* holding(schemas: readonly Schema[], value: Json, path: string, look: Look, most: number): Turns<number> {
  let count = 0;
  for (const one of schemas) {
    const found: FieldError[] = [];
    yield* check(one, value, path, below(look, found));
    if (found.length === 0 && ++count === most) break;
  }
  return count;
}

/** Why a text is no regular expression; undefined for one that is. */
export function patternProblem(pattern: string): string | undefined {
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
