import type { Turns } from "@boxship/base";
import type { Checker, Types } from "./check.ts";
import { type Evaluator, fieldOf, type Scope } from "./evaluate.ts";
import { CelError, type Expression } from "./syntax.ts";
import { BOOL, type CelType, DYN, INT, listOf, mapOf, optionalOf, show } from "./types.ts";
import { NOTHING, Optional, typeName, type Value } from "./values.ts";

type Call = Expression & { readonly node: "call" };

interface Macro {
  /** Numbers of arguments, the receiver not counted. */
  readonly arity: readonly number[];
  /** Whether it has a receiver; of which name, where only one will do. */
  readonly receiver: boolean | string;
  evaluate(evaluator: Evaluator, call: Call, scope: Scope): Turns<Value>;
  check(checker: Checker, call: Call, types: Types): CelType;
}

/** Calls whose arguments are not evaluated before them. */
export function isMacro({ name, args, receiver }: Call): boolean {
  const macro = Object.hasOwn(MACROS, name) ? MACROS[name] : undefined;
  if (macro === undefined || !macro.arity.includes(args.length)) return false;
  if (typeof macro.receiver === "string") return receiver?.node === "name" && receiver.name === macro.receiver;
  return (receiver !== undefined) === macro.receiver;
}

/** With names of its own before those around it. */
function within(scope: Scope, own: ReadonlyMap<string, Value>): Scope {
  return { get: (name) => own.get(name) ?? (own.get(name) === null ? null : scope.get(name)) };
}

function nameOf(expression: Expression | undefined): string {
  if (expression?.node === "name") return expression.name;
  throw new CelError("argument must be a simple name", expression?.at ?? 0);
}

const argument = (call: Call, index: number): Expression => call.args[index] as Expression;
const receiverOf = (call: Call): Expression => call.receiver as Expression;

/** What a comprehension goes over: items, or keys; with two names indexes and items, or keys and values. */
function* rounds({ budget }: Evaluator, call: Call, range: Value, scope: Scope, names: number): Generator<Scope> {
  const [first, second] = [nameOf(call.args[0]), names === 2 ? nameOf(call.args[1]) : ""];
  const round = (one: Value, other: Value): Scope => {
    budget.spend(1);
    const own = new Map<string, Value>([[first, one]]);
    if (names === 2) own.set(second, other);
    return within(scope, own);
  };
  if (Array.isArray(range)) {
    for (const [index, item] of (range as Value[]).entries())
      yield names === 2 ? round(BigInt(index), item) : round(item, null);
  } else if (range instanceof Map) {
    for (const [key, value] of range as ReadonlyMap<Value, Value>) yield round(key, value);
  } else throw new CelError(`no such overload: ${call.name} of ${typeName(range)}`, call.at);
}

/** The types of a comprehension's names. */
function roundTypes(checker: Checker, call: Call, types: Types, names: number): Types {
  const range = checker.check(receiverOf(call), types);
  const [first, second] = [nameOf(call.args[0]), names === 2 ? nameOf(call.args[1]) : ""];
  const pair = pairOf(range, call);
  const own = new Map<string, CelType>(types);
  if (names === 2) own.set(first, pair.key).set(second, pair.value);
  else own.set(first, range.kind === "list" ? pair.value : pair.key);
  return own;
}

function pairOf(range: CelType, call: Call): { readonly key: CelType; readonly value: CelType } {
  switch (range.kind) {
    case "dyn":
      return { key: DYN, value: DYN };
    case "list":
      return { key: INT, value: range.item };
    case "map":
      return range;
    case "object":
      return { key: DYN, value: DYN };
    default:
      throw new CelError(
        `expression of type '${show(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        call.at,
      );
  }
}

function truth(value: Value, at: number): boolean {
  if (typeof value === "boolean") return value;
  throw new CelError("no such overload", at);
}

function checkBool(checker: Checker, predicate: Expression, types: Types): void {
  const type = checker.check(predicate, types);
  if (type.kind !== "dyn" && !(type.kind === "simple" && type.name === "bool"))
    throw new CelError(`expected type 'bool' but found '${show(type)}'`, predicate.at);
}

/** `all` and `exists`: a round that decides, decides, whatever errors others have. */
function quantifier(decisive: boolean): Macro {
  return {
    arity: [2, 3],
    receiver: true,
    *evaluate(evaluator, call, scope) {
      const names = call.args.length - 1;
      const predicate = argument(call, names);
      let failure: CelError | undefined;
      for (const round of rounds(evaluator, call, yield* evaluator.run(receiverOf(call), scope), scope, names)) {
        try {
          if (truth(yield* evaluator.run(predicate, round), predicate.at) === decisive) return decisive;
        } catch (error) {
          if (!(error instanceof CelError)) throw error;
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
      return !decisive;
    },
    check(checker, call, types) {
      const names = call.args.length - 1;
      checkBool(checker, argument(call, names), roundTypes(checker, call, types, names));
      return BOOL;
    },
  };
}

const exactlyOne: Macro = {
  arity: [2, 3],
  receiver: true,
  *evaluate(evaluator, call, scope) {
    const names = call.args.length - 1;
    let found = 0;
    for (const round of rounds(evaluator, call, yield* evaluator.run(receiverOf(call), scope), scope, names))
      if (truth(yield* evaluator.run(argument(call, names), round), call.at)) found++;
    return found === 1;
  },
  check(checker, call, types) {
    const names = call.args.length - 1;
    checkBool(checker, argument(call, names), roundTypes(checker, call, types, names));
    return BOOL;
  },
};

/** A list of what each round gives: with one name (`map`) or two (`transformList`), after a condition if there is one. */
function mapping(names: 1 | 2): Macro {
  return {
    arity: [names + 1, names + 2],
    receiver: true,
    *evaluate(evaluator, call, scope) {
      const list: Value[] = [];
      const hasFilter = call.args.length === names + 2;
      for (const round of rounds(evaluator, call, yield* evaluator.run(receiverOf(call), scope), scope, names)) {
        if (hasFilter && !truth(yield* evaluator.run(argument(call, names), round), call.at)) continue;
        list.push(yield* evaluator.run(argument(call, call.args.length - 1), round));
      }
      return list;
    },
    check(checker, call, types) {
      const own = roundTypes(checker, call, types, names);
      if (call.args.length === names + 2) checkBool(checker, argument(call, names), own);
      return listOf(checker.check(argument(call, call.args.length - 1), own));
    },
  };
}

const transformMap: Macro = {
  arity: [3, 4],
  receiver: true,
  *evaluate(evaluator, call, scope) {
    const map = new Map<Value, Value>();
    const key = nameOf(call.args[0]);
    for (const round of rounds(evaluator, call, yield* evaluator.run(receiverOf(call), scope), scope, 2)) {
      if (call.args.length === 4 && !truth(yield* evaluator.run(argument(call, 2), round), call.at)) continue;
      map.set(round.get(key) ?? null, yield* evaluator.run(argument(call, call.args.length - 1), round));
    }
    return map;
  },
  check(checker, call, types) {
    const own = roundTypes(checker, call, types, 2);
    if (call.args.length === 4) checkBool(checker, argument(call, 2), own);
    return mapOf(own.get(nameOf(call.args[0])) ?? DYN, checker.check(argument(call, call.args.length - 1), own));
  },
};

const filter: Macro = {
  arity: [2],
  receiver: true,
  *evaluate(evaluator, call, scope) {
    const name = nameOf(call.args[0]);
    const kept: Value[] = [];
    for (const round of rounds(evaluator, call, yield* evaluator.run(receiverOf(call), scope), scope, 1))
      if (truth(yield* evaluator.run(argument(call, 1), round), call.at)) kept.push(round.get(name) ?? null);
    return kept;
  },
  check(checker, call, types) {
    const own = roundTypes(checker, call, types, 1);
    checkBool(checker, argument(call, 1), own);
    return listOf(own.get(nameOf(call.args[0])) ?? DYN);
  },
};

const has: Macro = {
  arity: [1],
  receiver: false,
  *evaluate(evaluator, call, scope) {
    const of = argument(call, 0);
    if (of.node !== "select") throw new CelError("invalid argument to has() macro", of.at);
    const holder = yield* evaluator.run(of.of, scope);
    const inner = holder instanceof Optional ? holder.value : holder;
    if (inner === undefined) return false;
    if (!(inner instanceof Map)) throw new CelError(`no such overload: has of ${typeName(inner)}`, of.at);
    return (yield* fieldOf(inner, of.field)) !== undefined;
  },
  check(checker, call, types) {
    const of = argument(call, 0);
    if (of.node !== "select") throw new CelError("invalid argument to has() macro", of.at);
    checker.check(of, types);
    return BOOL;
  },
};

const bind: Macro = {
  arity: [3],
  receiver: "cel",
  *evaluate(evaluator, call, scope) {
    const own = new Map([[nameOf(call.args[0]), yield* evaluator.run(argument(call, 1), scope)]]);
    return yield* evaluator.run(argument(call, 2), within(scope, own));
  },
  check(checker, call, types) {
    const own = new Map(types).set(nameOf(call.args[0]), checker.check(argument(call, 1), types));
    return checker.check(argument(call, 2), own);
  },
};

/** `optMap`, whose result is wrapped, and `optFlatMap`, which gives one that is. */
function optionalMap(flat: boolean): Macro {
  return {
    arity: [2],
    receiver: true,
    *evaluate(evaluator, call, scope) {
      const holder = yield* evaluator.run(receiverOf(call), scope);
      if (!(holder instanceof Optional))
        throw new CelError(`no such overload: ${call.name} of ${typeName(holder)}`, call.at);
      if (holder.value === undefined) return NOTHING;
      const result = yield* evaluator.run(
        argument(call, 1),
        within(scope, new Map([[nameOf(call.args[0]), holder.value]])),
      );
      return flat ? result : new Optional(result);
    },
    check(checker, call, types) {
      const holder = checker.check(receiverOf(call), types);
      if (holder.kind !== "optional" && holder.kind !== "dyn")
        throw new CelError(`found no matching overload for '${call.name}' applied to '${show(holder)}'`, call.at);
      const own = new Map(types).set(nameOf(call.args[0]), holder.kind === "optional" ? holder.value : DYN);
      const result = checker.check(argument(call, 1), own);
      return flat ? result : optionalOf(result);
    },
  };
}

export const MACROS: Readonly<Record<string, Macro>> = {
  all: quantifier(false),
  exists: quantifier(true),
  exists_one: exactlyOne,
  existsOne: exactlyOne,
  map: mapping(1),
  transformList: mapping(2),
  transformMap,
  filter,
  has,
  bind,
  optMap: optionalMap(false),
  optFlatMap: optionalMap(true),
};
