import type { Turns } from "@boxship/base";
import { Budget, BudgetExceeded } from "../cel/evaluate.ts";
import { CALL_BUDGET, compile, type Program } from "../cel/program.ts";
import { CelError } from "../cel/syntax.ts";
import { BOOL, type CelType, optionalOf, simple } from "../cel/types.ts";
import { NOTHING, Optional, type Value } from "../cel/values.ts";
import { deepEqual, getField, isObject, type Json, type JsonObject } from "../object/json.ts";
import type { CelRule, Schema } from "../schema/schema.ts";
import type { FieldError, FieldErrorReason } from "../status/field-error.ts";
import { celTypeOf, celValueOf } from "./cel-schema.ts";

/** What all rules of an object may cost together, as upstream has it. */
const OBJECT_BUDGET = 10_000_000;

interface CompiledRule {
  readonly rule: CelRule;
  readonly program: Program;
  readonly message?: Program;
  /** Whether it compares with what was there. */
  readonly isTransition: boolean;
}

const compiled = new WeakMap<Schema, readonly CompiledRule[]>();
const withRules = new WeakMap<Schema, boolean>();

/** Whether a schema has rules anywhere. */
export function hasRules(schema: Schema, depth = 0): boolean {
  const known = withRules.get(schema);
  if (known !== undefined) return known;
  const below = [...(schema.properties?.values() ?? []), schema.items, schema.additional].filter(
    (one) => one !== undefined,
  );
  const found = (schema.celRules?.length ?? 0) > 0 || (depth < 100 && below.some((one) => hasRules(one, depth + 1)));
  withRules.set(schema, found);
  return found;
}

const types = { root: new WeakMap<Schema, CelType>(), other: new WeakMap<Schema, CelType>() };

/** What rules of a schema know of its values: for all of them made once. */
function typeOf(schema: Schema, isRoot: boolean): CelType {
  const known = isRoot ? types.root : types.other;
  let type = known.get(schema);
  if (type === undefined) {
    type = celTypeOf(schema, "object", isRoot);
    known.set(schema, type);
  }
  return type;
}

/** A rule as it can be evaluated. @throws CelError */
export function compileRule(schema: Schema, rule: CelRule, isRoot: boolean): CompiledRule {
  const self = typeOf(schema, isRoot);
  const variables = new Map([
    ["self", self],
    ["oldSelf", rule.optionalOldSelf ? optionalOf(self) : self],
  ]);
  const program = compile(rule.rule, { variables, results: [BOOL] });
  const message =
    rule.messageExpression === undefined
      ? undefined
      : compile(rule.messageExpression, { variables, results: [simple("string")] });
  return { rule, program, isTransition: program.names.has("oldSelf"), ...(message === undefined ? {} : { message }) };
}

/** Rules that are compiled before others have a turn. */
const AT_ONCE = 20;

function* rulesOf(schema: Schema, isRoot: boolean): Turns<readonly CompiledRule[]> {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const rules: CompiledRule[] = [];
  for (const [index, rule] of (schema.celRules ?? []).entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) yield undefined;
    try {
      rules.push(compileRule(schema, rule, isRoot));
    } catch (error) {
      // The definition was checked; an older one may hold what is none any more.
      if (!(error instanceof CelError)) throw error;
    }
  }
  compiled.set(schema, rules);
  return rules;
}

/**
 * What the rules of a custom object's schema find wrong with it. Gives way now and then.
 *
 * @param old the object as it was; undefined for a new one
 * @param isRoot whether it is a whole object, which has names and a kind
 */
export function* validateCelRules(
  schema: Schema,
  object: Json,
  old: Json | undefined,
  isRoot = true,
): Turns<readonly FieldError[]> {
  if (!hasRules(schema)) return [];
  const walker = new Walker();
  try {
    yield* walker.walk({ schema, value: object, old, path: "", isRoot });
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error;
    walker.errors.push({
      reason: "FieldValueInvalid",
      field: "",
      message:
        'Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    });
  }
  return walker.errors;
}

const TURN = 1000;

interface Place {
  readonly schema: Schema;
  readonly value: Json;
  readonly old: Json | undefined;
  readonly path: string;
  readonly isRoot?: boolean;
}

class Walker {
  readonly errors: FieldError[] = [];
  #left = OBJECT_BUDGET;
  /** Values and rules that may be looked at in this turn; rules that take long give way themselves. */
  #inTurn = TURN;

  *walk(place: Place): Turns<void> {
    const { schema, value, old, path } = place;
    if (value === null || !hasRules(schema)) return;
    this.#inTurn -= 1 + (schema.celRules?.length ?? 0);
    if (this.#inTurn <= 0) {
      this.#inTurn = TURN;
      yield undefined;
    }
    yield* this.#check(place);
    const at = (field: string): string => (path === "" ? field : `${path}.${field}`);
    if (Array.isArray(value)) {
      const items = schema.items ?? {};
      const before = counterparts(schema, old);
      for (const [index, item] of value.entries())
        yield* this.walk({ schema: items, value: item, old: before(item), path: `${path}[${index}]` });
    } else if (isObject(value)) {
      const before = isObject(old) ? old : {};
      for (const [field, item] of Object.entries(value)) {
        const below = schema.properties?.get(field);
        if (item === undefined || (below ?? schema.additional) === undefined) continue;
        const own = below === undefined ? `${path}[${field}]` : at(field);
        yield* this.walk({
          schema: below ?? schema.additional ?? {},
          value: item,
          old: getField(before, field),
          path: own,
        });
      }
    }
  }

  *#check({ schema, value, old, path, isRoot = false }: Place): Turns<void> {
    const rules = yield* rulesOf(schema, isRoot);
    if (rules.length === 0) return;
    const self = celValueOf(schema, value);
    const before = old === undefined ? undefined : celValueOf(schema, old);
    const unchanged = old !== undefined && deepEqual(value, old);
    for (const one of rules) {
      const { rule, isTransition } = one;
      if (isTransition && before === undefined && !rule.optionalOldSelf) continue;
      // What was wrong before and is as it was may stay.
      if (unchanged && !isTransition) continue;
      const oldSelf = rule.optionalOldSelf ? (before === undefined ? NOTHING : new Optional(before)) : before;
      const valueOf = (name: string): Value | undefined =>
        name === "self" ? self : name === "oldSelf" ? oldSelf : undefined;
      const problem = yield* this.#evaluate(one, valueOf);
      if (problem !== undefined) this.errors.push(errorOf(rule, schema, path, problem));
    }
  }

  /** @returns what is wrong */
  *#evaluate(
    { rule, program, message }: CompiledRule,
    valueOf: (name: string) => Value | undefined,
  ): Turns<string | undefined> {
    const budget = new Budget(Math.min(CALL_BUDGET, this.#left));
    const start = budget.left;
    try {
      if ((yield* program.steps(valueOf, budget)) === true) return undefined;
      return yield* messageOf(rule, message, valueOf, budget);
    } catch (error) {
      if (error instanceof BudgetExceeded && this.#left > CALL_BUDGET)
        return (
          "call cost exceeds limit for validation rule, no further validation rules will be run due to call cost exceeds limit for rule: " +
          rule.rule
        );
      if (!(error instanceof CelError)) throw error;
      return `${error.message} evaluating rule: ${rule.message ?? rule.rule}`;
    } finally {
      this.#left -= start - Math.max(budget.left, 0);
    }
  }
}

function* messageOf(
  rule: CelRule,
  message: Program | undefined,
  valueOf: (name: string) => Value | undefined,
  budget: Budget,
): Turns<string> {
  const otherwise = rule.message?.trim() || `failed rule: ${rule.rule.trim()}`;
  if (message === undefined) return otherwise;
  try {
    const text = yield* message.steps(valueOf, budget);
    // One line of some length, or the message that is written.
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") && text.length <= 5120
      ? text.trim()
      : otherwise;
  } catch (error) {
    if (error instanceof CelError) return otherwise;
    throw error;
  }
}

const REASONS: Readonly<Record<string, readonly [FieldErrorReason, string]>> = {
  FieldValueDuplicate: ["FieldValueDuplicate", "Duplicate value"],
  FieldValueForbidden: ["FieldValueForbidden", "Forbidden"],
  FieldValueInvalid: ["FieldValueInvalid", "Invalid value"],
  FieldValueRequired: ["FieldValueRequired", "Required value"],
};

function errorOf(rule: CelRule, schema: Schema, path: string, detail: string): FieldError {
  const [reason, words] = REASONS[rule.reason ?? ""] ?? ["FieldValueInvalid", "Invalid value"];
  const field = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "");
  const type = schema.intOrString ? "" : (schema.type ?? "");
  if (reason === "FieldValueForbidden" || reason === "FieldValueRequired")
    return { reason, field, message: `${words}: ${detail}` };
  if (reason === "FieldValueDuplicate") return { reason, field, message: `${words}: ${JSON.stringify(type)}` };
  return { reason, field, message: `${words}: ${JSON.stringify(type)}: ${detail}` };
}

/** The items of the old list that others follow: by their keys; of other lists there are none. */
function counterparts({ listType, listKeys = [] }: Schema, old: Json | undefined): (item: Json) => Json | undefined {
  if (listType !== "map" || !Array.isArray(old)) return () => undefined;
  const keyOf = (one: JsonObject): string => JSON.stringify(listKeys.map((key) => getField(one, key) ?? null));
  const byKey = new Map<string, Json>();
  for (const one of old) {
    const key = isObject(one) ? keyOf(one) : undefined;
    if (key !== undefined && !byKey.has(key)) byKey.set(key, one);
  }
  return (item) => (isObject(item) ? byKey.get(keyOf(item)) : undefined);
}
