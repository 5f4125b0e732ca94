import { type Functions, NAMESPACES } from "./functions.ts";
import { isMacro, MACROS } from "./macros.ts";
import { CelError, type Expression, type Literal } from "./syntax.ts";
import {
  assignable,
  BOOL,
  type CelType,
  DYN,
  INT,
  join,
  listOf,
  mapOf,
  optionalOf,
  parseType,
  show,
  simple,
  substitute,
} from "./types.ts";

/** The types of names. */
export type Types = ReadonlyMap<string, CelType>;

/** Names that stand for types. */
const TYPE_NAMES = new Set([
  "bool",
  "bytes",
  "double",
  "dyn",
  "int",
  "list",
  "map",
  "null_type",
  "string",
  "type",
  "uint",
]);
export const isTypeName = (name: string): boolean => TYPE_NAMES.has(name);

/** Finds out what an expression gives, and whether it can give anything. @throws CelError */
export class Checker {
  readonly #functions: Functions;
  /** Messages that may be made, by their first name; undefined: none. */
  readonly #messages: ReadonlySet<string>;

  constructor(functions: Functions, messages: ReadonlySet<string>) {
    this.#functions = functions;
    this.#messages = messages;
  }

  check(expression: Expression, types: Types): CelType {
    switch (expression.node) {
      case "literal":
        return literalType(expression.value);
      case "name":
        return nameType(expression.name, types, expression.at);
      case "select":
        return this.#select(expression, types);
      case "index":
        return this.#index(expression, types);
      case "list":
        return listOf(
          this.#common(expression.items.map(({ value, optional }) => unwrapped(this.check(value, types), optional))),
        );
      case "map": {
        const keys = this.#common(expression.entries.map(({ key }) => this.check(key, types)));
        const values = expression.entries.map(({ value, optional }) => unwrapped(this.check(value, types), optional));
        return mapOf(keys, this.#common(values));
      }
      case "message":
        return this.#message(expression, types);
      case "call":
        return this.#call(expression, types);
    }
  }

  #common(types: readonly CelType[]): CelType {
    const [first, ...others] = types;
    return first === undefined ? DYN : others.reduce(join, first);
  }

  #select({ of, field, optional, at }: Expression & { node: "select" }, types: Types): CelType {
    const holder = this.check(of, types);
    if (optional || holder.kind === "optional") {
      const inner = fieldType(holder.kind === "optional" ? holder.value : holder, field, at);
      return inner.kind === "optional" ? inner : optionalOf(inner);
    }
    return fieldType(holder, field, at);
  }

  #index({ of, key, optional, at }: Expression & { node: "index" }, types: Types): CelType {
    const holder = this.check(of, types);
    this.check(key, types);
    const inner = holder.kind === "optional" ? holder.value : holder;
    const found =
      inner.kind === "list" ? inner.item : inner.kind === "map" ? inner.value : inner.kind === "dyn" ? DYN : undefined;
    if (found === undefined)
      throw new CelError(`found no matching overload for '_[_]' applied to '(${show(holder)})'`, at);
    return optional || holder.kind === "optional" ? optionalOf(found) : found;
  }

  #message({ type, entries, at }: Expression & { node: "message" }, types: Types): CelType {
    const [root = ""] = type.split(".");
    if (!this.#messages.has(root)) throw new CelError(`undeclared reference to '${type}' (in container '')`, at);
    for (const { value } of entries) this.check(value, types);
    return simple(root);
  }

  #call(call: Expression & { node: "call" }, types: Types): CelType {
    const { name, args, receiver, at } = call;
    if (name === "_&&_" || name === "_||_") {
      for (const side of args) this.#expect(side, BOOL, types);
      return BOOL;
    }
    if (name === "_?_:_") {
      const [condition, yes, no] = args as [Expression, Expression, Expression];
      this.#expect(condition, BOOL, types);
      return join(this.check(yes, types), this.check(no, types));
    }
    if (isMacro(call)) return MACROS[name]?.check(this, call, types) ?? DYN;
    if (receiver?.node === "name" && NAMESPACES.has(receiver.name) && !types.has(receiver.name)) {
      return this.#overload(
        `${receiver.name}.${name}`,
        false,
        args.map((one) => this.check(one, types)),
        at,
      );
    }
    const all = (receiver === undefined ? args : [receiver, ...args]).map((one) => this.check(one, types));
    return this.#overload(name, receiver !== undefined, all, at);
  }

  #expect(expression: Expression, wanted: CelType, types: Types): void {
    const found = this.check(expression, types);
    if (!assignable(wanted, found))
      throw new CelError(`expected type '${show(wanted)}' but found '${show(found)}'`, expression.at);
  }

  #overload(name: string, isMember: boolean, args: readonly CelType[], at: number): CelType {
    if (!this.#functions.has(name)) throw new CelError(`undeclared reference to '${name}' (in container '')`, at);
    let result: CelType | undefined;
    for (const overload of this.#functions.find(name, isMember, args.length)) {
      const bound = new Map<string, CelType>();
      if (!overload.params.every((param, index) => assignable(param, args[index] ?? DYN, bound))) continue;
      const own = substitute(overload.result, bound);
      result = result === undefined ? own : join(result, own);
    }
    if (result !== undefined) return result;
    const shown = args.map(show);
    const what = isMember ? `${shown[0]}.(${shown.slice(1).join(", ")})` : `(${shown.join(", ")})`;
    throw new CelError(`found no matching overload for '${name}' applied to '${what}'`, at);
  }
}

function unwrapped(type: CelType, optional: boolean): CelType {
  if (!optional) return type;
  return type.kind === "optional" ? type.value : DYN;
}

function fieldType(holder: CelType, field: string, at: number): CelType {
  switch (holder.kind) {
    case "dyn":
      return DYN;
    case "map":
      return holder.value;
    case "object": {
      const found = holder.fields.get(field);
      if (found === undefined) throw new CelError(`undefined field '${field}'`, at);
      return found;
    }
    default:
      throw new CelError(`type '${show(holder)}' does not support field selection`, at);
  }
}

function nameType(name: string, types: Types, at: number): CelType {
  const found = types.get(name);
  if (found !== undefined) return found;
  if (isTypeName(name)) return simple("type");
  throw new CelError(`undeclared reference to '${name}' (in container '')`, at);
}

function literalType({ kind }: Literal): CelType {
  return kind === "null" ? parseType("null") : kind === "int" ? INT : simple(kind);
}
