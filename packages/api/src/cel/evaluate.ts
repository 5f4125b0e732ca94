import type { Turns } from "@boxship/base";
import { type Functions, NAMESPACES } from "./functions.ts";
import { COSTS } from "./library/costs.ts";
import { isMacro, MACROS } from "./macros.ts";
import { CelError, type Expression, type Literal } from "./syntax.ts";
import { isOf } from "./types.ts";
import { lookUp, NOTHING, Optional, typeName, Uint, type Value } from "./values.ts";

/** Units after which others have a turn: some milliseconds. */
const TURN = 10_000;

/** What an evaluation may cost: about a unit for each step, and for each ten characters or each item that it touches. */
export class Budget {
  #left: number;
  /** What is left when the next turn begins. */
  #turnEnds: number;

  constructor(limit: number) {
    this.#left = limit;
    this.#turnEnds = limit - TURN;
  }

  get left(): number {
    return this.#left;
  }

  /** @throws BudgetExceeded */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new BudgetExceeded();
  }

  /** Whether it is the turn of others; true once. */
  get turnIsOver(): boolean {
    if (this.#left > this.#turnEnds) return false;
    this.#turnEnds = this.#left - TURN;
    return true;
  }
}

/** Whatever an expression does with errors, it does not go on after this one. */
export class Interruption extends Error {}

export class BudgetExceeded extends Interruption {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
    this.name = "BudgetExceeded";
  }
}

/** Names and what they stand for; those of comprehensions hide others. */
export interface Scope {
  get(name: string): Value | undefined;
}

export interface EvaluationOptions {
  readonly functions: Functions;
  readonly budget: Budget;
}

/** Evaluates expressions. @throws CelError, BudgetExceeded */
export class Evaluator {
  readonly #functions: Functions;
  readonly budget: Budget;

  constructor({ functions, budget }: EvaluationOptions) {
    this.#functions = functions;
    this.budget = budget;
  }

  /** Gives way when it has gone on for a while. */
  run(expression: Expression, scope: Scope): Turns<Value> {
    if (isLeaf(expression)) return this.#leafLater(expression, scope);
    this.budget.spend(1);
    switch (expression.node) {
      case "select":
        return this.#select(expression, scope);
      case "index":
        return this.#index(expression, scope);
      case "list":
        return this.#list(expression, scope);
      case "map":
        return this.#map(expression, scope);
      case "message":
        return this.#message(expression, scope);
      case "call":
        return this.#call(expression, scope);
    }
  }

  *#leafLater(leaf: Leaf, scope: Scope): Turns<Value> {
    if (this.budget.turnIsOver) yield undefined;
    return this.#leaf(leaf, scope);
  }

  #leaf(leaf: Leaf, scope: Scope): Value {
    this.budget.spend(1);
    return leaf.node === "literal" ? literalValue(leaf.value) : this.#name(leaf.name, scope, leaf.at);
  }

  #name(name: string, scope: Scope, at: number): Value {
    const value = scope.get(name);
    if (value === undefined) throw new CelError(`no such attribute(s): ${name}`, at);
    return value;
  }

  *#select({ of, field, optional, at }: Expression & { node: "select" }, scope: Scope): Turns<Value> {
    // A name may have a point in it.
    const dotted = of.node === "name" && !optional ? scope.get(`${of.name}.${field}`) : undefined;
    if (dotted !== undefined) return dotted;
    const holder = isLeaf(of) ? this.#leaf(of, scope) : yield* this.run(of, scope);
    if (optional || holder instanceof Optional) {
      const inner = holder instanceof Optional ? holder.value : holder;
      const found = inner instanceof Map ? yield* fieldOf(inner, field) : undefined;
      return found === undefined ? NOTHING : new Optional(found);
    }
    if (!(holder instanceof Map)) throw new CelError(`no such key: ${field}`, at);
    const value = holder instanceof LaterFields ? yield* holder.make(field) : holder.get(field);
    if (value === undefined) throw new CelError(`no such key: ${field}`, at);
    return value;
  }

  *#index({ of, key, optional, at }: Expression & { node: "index" }, scope: Scope): Turns<Value> {
    const holder = yield* this.run(of, scope);
    const index = yield* this.run(key, scope);
    const isOptional = optional || holder instanceof Optional;
    const inner = holder instanceof Optional ? holder.value : holder;
    const found =
      inner instanceof LaterFields && typeof index === "string"
        ? yield* inner.make(index)
        : inner === undefined
          ? undefined
          : itemOf(inner, index, isOptional, at);
    if (isOptional) return found === undefined ? NOTHING : new Optional(found);
    if (found === undefined) throw new CelError(`no such key: ${shown(index)}`, at);
    return found;
  }

  *#list({ items }: Expression & { node: "list" }, scope: Scope): Turns<Value> {
    const list: Value[] = [];
    for (const { value, optional } of items) {
      const item = yield* this.run(value, scope);
      if (!optional) list.push(item);
      else if (item instanceof Optional && item.value !== undefined) list.push(item.value);
    }
    return list;
  }

  *#map({ entries, at }: Expression & { node: "map" }, scope: Scope): Turns<Value> {
    const map = new Map<Value, Value>();
    for (const { key, value, optional } of entries) {
      const name = yield* this.run(key, scope);
      const item = yield* this.run(value, scope);
      const kind = typeName(name);
      if (!["int", "uint", "bool", "string"].includes(kind)) throw new CelError(`unsupported key type: ${kind}`, at);
      if (lookUp(map, name) !== undefined) throw new CelError(`insert failed: key ${shown(name)} already exists`, at);
      if (!optional) map.set(name, item);
      else if (item instanceof Optional && item.value !== undefined) map.set(name, item.value);
    }
    return map;
  }

  /** A message is a map of its fields; what it is for sees which fields it has. */
  *#message({ entries }: Expression & { node: "message" }, scope: Scope): Turns<Value> {
    const map = new Map<Value, Value>();
    for (const { field, value, optional } of entries) {
      const item = yield* this.run(value, scope);
      if (!optional) map.set(field, item);
      else if (item instanceof Optional && item.value !== undefined) map.set(field, item.value);
    }
    return map;
  }

  *#call(call: Expression & { node: "call" }, scope: Scope): Turns<Value> {
    if (this.budget.turnIsOver) yield undefined;
    const { name, args, receiver } = call;
    switch (name) {
      case "_&&_":
        return yield* this.#logic(args, scope, false);
      case "_||_":
        return yield* this.#logic(args, scope, true);
      case "_?_:_":
        return yield* this.#choose(args, scope);
    }
    const macro = isMacro(call) ? MACROS[name] : undefined;
    if (macro !== undefined) return yield* macro.evaluate(this, call, scope);
    if (receiver?.node === "name" && NAMESPACES.has(receiver.name) && scope.get(receiver.name) === undefined) {
      return yield* this.#apply(`${receiver.name}.${name}`, false, args, scope, call.at);
    }
    return yield* this.#apply(
      name,
      receiver !== undefined,
      receiver === undefined ? args : [receiver, ...args],
      scope,
      call.at,
    );
  }

  /** A side that decides, decides; whatever the other one is, an error included. */
  *#logic(args: readonly Expression[], scope: Scope, decisive: boolean): Turns<Value> {
    let failure: unknown;
    for (const side of args) {
      try {
        const value = yield* this.run(side, scope);
        if (typeof value !== "boolean") throw new CelError("no such overload", side.at);
        if (value === decisive) return decisive;
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return !decisive;
  }

  *#choose([condition, yes, no]: readonly Expression[], scope: Scope): Turns<Value> {
    if (condition === undefined || yes === undefined || no === undefined) return null;
    const value = yield* this.run(condition, scope);
    if (typeof value !== "boolean") throw new CelError("no such overload", condition.at);
    return yield* this.run(value ? yes : no, scope);
  }

  *#apply(name: string, isMember: boolean, args: readonly Expression[], scope: Scope, at: number): Turns<Value> {
    const values: Value[] = [];
    for (const one of args) values.push(isLeaf(one) ? this.#leaf(one, scope) : yield* this.run(one, scope));
    // Errors of comparisons and arithmetic name the types that have none.
    for (const overload of this.#functions.find(name, isMember, values.length)) {
      if (!overload.params.every((type, index) => isOf(type, values[index] as Value))) continue;
      for (const value of values) this.budget.spend(sizeOf(value));
      if (Object.hasOwn(COSTS, name)) this.budget.spend(COSTS[name]?.(...values) ?? 0);
      try {
        const made = overload.run(...(values as never[]));
        const result = overload.gives === "turns" ? yield* made as Turns<Value> : (made as Value);
        this.budget.spend(sizeOf(result));
        return result;
      } catch (error) {
        if (error instanceof CelError || error instanceof Interruption) throw error;
        throw new CelError(error instanceof Error ? error.message : String(error), at);
      }
    }
    throw new CelError(`no such overload: ${name}(${values.map(typeName).join(", ")})`, at);
  }
}

/** A map whose values are made when they are asked for. */
export abstract class LaterFields extends Map<Value, Value> {
  abstract make(name: string): Turns<Value | undefined>;
}

/** @returns undefined where there is none */
export function* fieldOf(holder: Map<Value, Value>, name: string): Turns<Value | undefined> {
  return holder instanceof LaterFields ? yield* holder.make(name) : holder.get(name);
}

/** What is known without more steps. */
type Leaf = Expression & { readonly node: "literal" | "name" };

const isLeaf = (expression: Expression): expression is Leaf =>
  expression.node === "literal" || expression.node === "name";

const shown = (key: Value): string => (typeof key === "object" ? typeName(key) : String(key));

/** What a look at a value costs, in units. */
function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length / 10;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length / 10;
  return value instanceof Map ? value.size / 10 : 0;
}

function itemOf(holder: Value, index: Value, optional: boolean, at: number): Value | undefined {
  if (holder instanceof Map) return lookUp(holder as ReadonlyMap<Value, Value>, index);
  if (!Array.isArray(holder)) throw new CelError(`no such overload: ${typeName(holder)}[${typeName(index)}]`, at);
  const place = index instanceof Uint ? index.value : index;
  const number = typeof place === "bigint" || typeof place === "number" ? Number(place) : Number.NaN;
  if (!Number.isInteger(number)) throw new CelError(`unsupported index type '${typeName(index)}' in list`, at);
  const found = number < 0 ? undefined : (holder[number] as Value | undefined);
  if (found === undefined && !optional) throw new CelError(`index out of bounds: ${number}`, at);
  return found;
}

function literalValue(literal: Literal): Value {
  if (literal.kind === "null") return null;
  return literal.kind === "uint" ? new Uint(literal.value) : literal.value;
}
