import { atOnce, type Turns } from "@boxship/base";
import { Checker, isTypeName, type Types } from "./check.ts";
import { estimateCost, type Shape } from "./estimate-cost.ts";
import { Budget, Evaluator } from "./evaluate.ts";
import { Functions, type Library } from "./functions.ts";
import { KUBERNETES } from "./library/kubernetes.ts";
import { STANDARD } from "./library/standard.ts";
import { LISTS, TEXTS } from "./library/texts-and-lists.ts";
import { parse } from "./parser.ts";
import { CelError, type Expression } from "./syntax.ts";
import { assignable, type CelType, parseType, show } from "./types.ts";
import { TypeValue, type Value } from "./values.ts";

/** What one call of an expression may cost, as upstream has it. */
export const CALL_BUDGET = 1_000_000;

export interface CompileOptions {
  /** The types of names. */
  readonly variables: Types;
  /** Types that the result may have. @default any */
  readonly results?: readonly CelType[];
  /** Functions besides CEL's and Kubernetes' own. @default none */
  readonly library?: Library;
  /** First names of messages that may be made. @default none */
  readonly messages?: readonly string[];
}

/** An expression that can be evaluated. */
export interface Program {
  readonly type: CelType;
  /** Names that it looks at, of those that it was given. */
  readonly names: ReadonlySet<string>;
  /** Gives way now and then. @throws CelError, BudgetExceeded */
  steps(variables: (name: string) => Value | undefined, budget?: Budget): Turns<Value>;
  /** In one turn, for as long as it takes. @throws CelError, BudgetExceeded */
  evaluate(variables: (name: string) => Value | undefined, budget?: Budget): Value;
  /** What it costs at most. @param shapeOf of a name @param largest size of what nothing is known of */
  cost(shapeOf: (name: string) => Shape | undefined, largest: number): number;
}

let standard: Functions | undefined;
const withLibrary = new WeakMap<Library, Functions>();

/** Reading all signatures takes far longer than compiling an expression. */
function functionsWith(library: Library | undefined): Functions {
  if (library === undefined) return (standard ??= new Functions(STANDARD, TEXTS, LISTS, KUBERNETES));
  let functions = withLibrary.get(library);
  if (functions === undefined) {
    functions = new Functions(STANDARD, TEXTS, LISTS, KUBERNETES, library);
    withLibrary.set(library, functions);
  }
  return functions;
}

/** @throws CelError for a text that is no expression, or one of a wrong type */
export function compile(text: string, { variables, results, library, messages = [] }: CompileOptions): Program {
  const functions = functionsWith(library);
  const expression = parse(text);
  const type = new Checker(functions, new Set(messages)).check(expression, variables);
  if (results !== undefined && !results.some((one) => assignable(one, type))) {
    throw new CelError(`must evaluate to ${results.map(show).join(" or ")}`, 0);
  }
  const steps = (valueOf: (name: string) => Value | undefined, budget = new Budget(CALL_BUDGET)): Turns<Value> =>
    new Evaluator({ functions, budget }).run(expression, {
      get: (name) =>
        valueOf(name) ?? (valueOf(name) === null ? null : isTypeName(name) ? new TypeValue(name) : undefined),
    });
  return {
    type,
    names: namesIn(expression),
    cost: (shapeOf, largest) => estimateCost(expression, shapeOf, largest),
    steps,
    evaluate: (valueOf, budget) => atOnce(steps(valueOf, budget)),
  };
}

/** `compile`, with the types of names as text. */
export const typesOf = (types: Readonly<Record<string, string>>): Types =>
  new Map(Object.entries(types).map(([name, type]) => [name, parseType(type)]));

function namesIn(expression: Expression): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (one: Expression): void => {
    switch (one.node) {
      case "literal":
        return;
      case "name":
        names.add(one.name);
        return;
      case "select":
        return walk(one.of);
      case "index":
        walk(one.of);
        return walk(one.key);
      case "list":
        return one.items.forEach(({ value }) => walk(value));
      case "message":
        return one.entries.forEach(({ value }) => walk(value));
      case "map":
        return one.entries.forEach(({ key, value }) => {
          walk(key);
          walk(value);
        });
      case "call":
        if (one.receiver !== undefined) walk(one.receiver);
        return one.args.forEach(walk);
    }
  };
  walk(expression);
  return names;
}
