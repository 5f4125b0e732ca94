import type { Turns } from "@boxship/base";
import { CelError } from "../cel/syntax.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { textAt } from "../object/kube-object.ts";
import type { CelRule, Schema } from "../schema/schema.ts";
import { type FieldError, invalid, notSupported, required } from "../status/field-error.ts";
import { followFieldPath } from "./field-path.ts";
import { fromJsonSchema } from "./from-json-schema.ts";
import { RuleCosts } from "./rule-costs.ts";
import { compileRule } from "./validate-cel-rules.ts";

const REASONS = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

const BREAK = /[\n\r]/;

/** An error of an expression, with the line and the place in it. */
export function compilationText(text: string, { at, message }: CelError): string {
  const before = text.slice(0, at).split("\n");
  const column = before.at(-1)?.length ?? 0;
  const line = text.split("\n")[before.length - 1] ?? "";
  return `compilation failed: ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${".".repeat(column)}^`;
}

/**
 * What is wrong with the rules in CEL of a definition's schema, and whether they can cost more than they may. Gives way
 * after each rule.
 */
export function* validateRuleTexts(props: Json | undefined, path: string): Turns<readonly FieldError[]> {
  const costs = new RuleCosts();
  const errors: FieldError[] = [];
  if (hasRules(props ?? null))
    yield* walk(props, path, { isRoot: true, uncorrelated: undefined, often: 1, costs, pace: { left: TURN } }, errors);
  return [...errors, ...costs.errors(path)];
}

/** Parts of a schema that are looked at before others have a turn. */
const TURN = 2000;

/** Whether there are rules anywhere: most schemas have none. */
function hasRules(props: Json): boolean {
  if (!isObject(props)) return false;
  if (props["x-kubernetes-validations"] !== undefined) return true;
  const { properties, additionalProperties = null, items = null } = props;
  if (isObject(properties) && Object.values(properties).some((below) => hasRules(below ?? null))) return true;
  return hasRules(additionalProperties) || hasRules(items);
}

interface Where {
  readonly isRoot: boolean;
  /** The outermost place within which nothing can be compared with what was: a list without keys, or an atomic object. */
  readonly uncorrelated: string | undefined;
  /** How often what is here can be in one object; undefined where nothing but the size of a request limits it. */
  readonly often: number | undefined;
  readonly costs: RuleCosts;
  /** What may be looked at in this turn. */
  readonly pace: { left: number };
}

function* walk(props: Json | undefined, path: string, where: Where, errors: FieldError[]): Turns<void> {
  if (!isObject(props)) return;
  if (where.pace.left-- <= 0) {
    where.pace.left = TURN;
    yield undefined;
  }
  const rules = props["x-kubernetes-validations"];
  if (Array.isArray(rules) && rules.length > 0) {
    const schema = fromJsonSchema(props);
    for (const index of rules.keys()) {
      yield undefined;
      const at = `${path}.x-kubernetes-validations[${index}]`;
      const wrong = wordsErrors(rules[index] ?? null, props, at);
      for (const error of wrong.length > 0 ? wrong : checkRule(schema, index, at, where)) errors.push(error);
    }
  }
  const { properties, additionalProperties, items } = props;
  if (isObject(properties)) {
    const isAtomic = props["x-kubernetes-map-type"] === "atomic";
    const perField = { ...where, isRoot: false, uncorrelated: where.uncorrelated ?? (isAtomic ? path : undefined) };
    for (const [field, below] of Object.entries(properties))
      yield* walk(below, `${path}.properties[${field}]`, perField, errors);
  }
  if (additionalProperties === undefined && items === undefined) return;
  const perValue = { ...where, isRoot: false, often: timesMore(where.often, props["maxProperties"]) };
  yield* walk(additionalProperties, `${path}.additionalProperties`, perValue, errors);
  const isMap = props["x-kubernetes-list-type"] === "map";
  const uncorrelated = where.uncorrelated ?? (isMap ? undefined : path);
  const perItem = { ...perValue, uncorrelated, often: timesMore(where.often, props["maxItems"]) };
  yield* walk(items, `${path}.items`, perItem, errors);
}

const timesMore = (often: number | undefined, most: Json | undefined): number | undefined =>
  often === undefined || typeof most !== "number" ? undefined : often * most;

function withoutMessage({ rule, optionalOldSelf = false }: CelRule): CelRule {
  return { rule, optionalOldSelf };
}

/** What is wrong with a rule before it is compiled. */
function wordsErrors(rule: Json, props: JsonObject, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const [text, message, reason] = [textAt(rule, "rule").trim(), textAt(rule, "message"), textAt(rule, "reason")];
  const [expression, fieldPath] = [textAt(rule, "messageExpression"), textAt(rule, "fieldPath")];
  if (text === "") errors.push(required(`${path}.rule`, "rule is not specified"));
  else if (message !== "" && message.trim() === "")
    errors.push(invalid(`${path}.message`, message, "must be non-empty if specified"));
  else if (BREAK.test(message.trim())) errors.push(invalid(`${path}.message`, message, "must not contain line breaks"));
  else if (BREAK.test(text) && message === "")
    errors.push(required(`${path}.message`, "message must be specified if rule contains line breaks"));
  if (expression !== "" && expression.trim() === "")
    errors.push(required(`${path}.messageExpression`, "messageExpression must be non-empty if specified"));
  if (reason !== "" && !REASONS.includes(reason)) errors.push(notSupported(`${path}.reason`, reason, REASONS));
  if (fieldPath === "") return errors;
  const at = `${path}.fieldPath`;
  if (fieldPath.trim() === "") errors.push(invalid(at, fieldPath, "must be non-empty if specified"));
  if (BREAK.test(fieldPath)) errors.push(invalid(at, fieldPath, "must not contain line breaks"));
  if (followFieldPath(fieldPath, props, { brackets: true }).problem !== undefined)
    errors.push(invalid(at, fieldPath, "must be a valid path"));
  return errors;
}

function checkRule(schema: Schema, index: number, path: string, where: Where): readonly FieldError[] {
  const { isRoot, uncorrelated } = where;
  const rule = schema.celRules?.[index];
  if (rule === undefined) return [];
  const errors: FieldError[] = [];
  try {
    const { isTransition, program } = compileRule(schema, withoutMessage(rule), isRoot);
    errors.push(...where.costs.add(program, { schema, isRoot, often: where.often, path: `${path}.rule` }));
    if (isTransition && uncorrelated !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`;
      errors.push(invalid(`${path}.rule`, rule.rule, why));
    }
    if (!isTransition && rule.optionalOldSelf)
      errors.push(invalid(`${path}.optionalOldSelf`, true, "may not be set if oldSelf is not used in rule"));
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return [...errors, invalid(`${path}.rule`, rule.rule, compilationText(rule.rule, error))];
  }
  try {
    const { message } = compileRule(schema, rule, isRoot);
    const at = `${path}.messageExpression`;
    if (message !== undefined)
      errors.push(...where.costs.add(message, { schema, isRoot, often: where.often, path: at }));
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const text = rule.messageExpression ?? "";
    errors.push(invalid(`${path}.messageExpression`, text, compilationText(text, error)));
  }
  return errors;
}
