import type { Program } from "../cel/program.ts";
import type { Schema } from "../schema/schema.ts";
import { type FieldError, forbiddenField } from "../status/field-error.ts";
import { LARGEST_REQUEST, mostOften, shapeOf } from "./schema-sizes.ts";

/** What one expression, and all of a schema together, may cost, as upstream has it. */
const RULE_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;
/** Of those that cost the most, so many are named. */
const NAMED = 4;

/** Where an expression is. */
export interface RulePlace {
  readonly schema: Schema;
  readonly isRoot: boolean;
  /** How often its value can be in one object; undefined where only the size of a request limits it. */
  readonly often: number | undefined;
  /** Of the field that has its text. */
  readonly path: string;
}

/** What the expressions of one schema can cost. */
export class RuleCosts {
  readonly #costs: { readonly path: string; readonly cost: number }[] = [];

  /** @returns what is wrong with the expression's own cost */
  add(program: Program, { schema, isRoot, often, path }: RulePlace): readonly FieldError[] {
    const self = shapeOf(schema, isRoot);
    const once = program.cost((name) => (name === "self" || name === "oldSelf" ? self : undefined), LARGEST_REQUEST);
    const cost = once * (often ?? mostOften(schema));
    this.#costs.push({ path, cost });
    if (cost <= RULE_LIMIT) return [];
    const what = path.endsWith(".messageExpression") ? "estimated messageExpression cost" : "estimated rule cost";
    return [forbiddenField(path, exceeds(what, cost, RULE_LIMIT, "rule"))];
  }

  /** What is wrong with all of them together. @param path of the schema */
  errors(path: string): readonly FieldError[] {
    const total = this.#costs.reduce((sum, { cost }) => sum + cost, 0);
    if (total <= SCHEMA_LIMIT) return [];
    const most = this.#costs.toSorted((a, b) => b.cost - a.cost).slice(0, NAMED);
    const part =
      "contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema";
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    return [
      ...most.map((one) => forbiddenField(one.path, part)),
      forbiddenField(path, exceeds(what, total, SCHEMA_LIMIT, "rule")),
    ];
  }
}

/** In upstream's words. @param simplify what can be made simpler */
function exceeds(what: string, cost: number, limit: number, simplify: string): string {
  const factor = cost / limit;
  const shown = factor > 100 ? "more than 100x" : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the ${simplify}, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
