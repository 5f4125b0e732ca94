import { NAMESPACES } from "./functions.ts";
import { isMacro } from "./macros.ts";
import type { Expression } from "./syntax.ts";

/**
 * What is known of a value before there is one: how many bytes of text, items or entries it has at most, and what is in it.
 */
export interface Shape {
  readonly size: number;
  /** Of a field of an object, or a value of a map. */
  readonly field?: (name: string) => Shape | undefined;
  /** Of an item of a list, or of a value of a map. */
  readonly item?: () => Shape | undefined;
  /** It is a map: what goes over it goes over its keys. */
  readonly isMap?: boolean;
}

/** What an expression costs at most, and what it gives. */
interface Estimate {
  readonly cost: number;
  readonly shape: Shape;
}

type Call = Expression & { readonly node: "call" };
type Shapes = (name: string) => Shape | undefined;

const SCALAR: Shape = { size: 1 };
const TRAVERSE = 0.1;
const REGEX = 0.25;
/** Of making a list, a map and a message. */
const MAKE = { list: 10, map: 30, message: 40 };
/** Asking whether somebody may do something. */
const AUTHORIZE = 350_000;

/**
 * Estimates the most that an expression can cost, by the rules and in the units of upstream's estimate.
 *
 * @param shapeOf of a name
 * @param largest size of what nothing is known of
 */
export function estimateCost(expression: Expression, shapeOf: Shapes, largest: number): number {
  return new CostEstimator(largest).estimate(expression, shapeOf).cost;
}

class CostEstimator {
  readonly #unknown: Shape;

  constructor(largest: number) {
    this.#unknown = { size: largest };
  }

  estimate(expression: Expression, shapes: Shapes): Estimate {
    switch (expression.node) {
      case "literal": {
        const { value } = expression;
        const size = value.kind === "string" || value.kind === "bytes" ? value.value.length : 1;
        return { cost: 0, shape: { size } };
      }
      case "name":
        return { cost: 1, shape: shapes(expression.name) ?? this.#unknown };
      case "select": {
        const of = this.estimate(expression.of, shapes);
        return { cost: 1 + of.cost, shape: of.shape.field?.(expression.field) ?? this.#unknown };
      }
      case "index": {
        const [of, key] = [this.estimate(expression.of, shapes), this.estimate(expression.key, shapes)];
        return { cost: 1 + of.cost + key.cost, shape: of.shape.item?.() ?? this.#unknown };
      }
      case "list": {
        const items = expression.items.map(({ value }) => this.estimate(value, shapes));
        const item = largestOf(items.map(({ shape }) => shape));
        return { cost: MAKE.list + total(items), shape: { size: items.length, item: () => item } };
      }
      case "map": {
        const parts = expression.entries.flatMap(({ key, value }) => [
          this.estimate(key, shapes),
          this.estimate(value, shapes),
        ]);
        return { cost: MAKE.map + total(parts), shape: { size: expression.entries.length, isMap: true } };
      }
      case "message": {
        const fields = expression.entries.map(({ value }) => this.estimate(value, shapes));
        return { cost: MAKE.message + total(fields), shape: { size: fields.length } };
      }
      case "call":
        return isMacro(expression) ? this.#macro(expression, shapes) : this.#call(expression, shapes);
    }
  }

  /** A comprehension costs, for each round, what it adds to its result and what it asks to go on. */
  #macro(call: Call, shapes: Shapes): Estimate {
    const { name, args } = call;
    if (name === "has") {
      const [of] = args;
      return { cost: of?.node === "select" ? this.estimate(of.of, shapes).cost : 0, shape: SCALAR };
    }
    if (name === "bind") {
      const [variable, value, body] = args as [Expression, Expression, Expression];
      const bound = this.estimate(value, shapes);
      const inner = this.estimate(body, withNames(shapes, [[nameOf(variable), bound.shape]]));
      return { cost: MAKE.list + 1 + bound.cost + inner.cost, shape: inner.shape };
    }
    if (name === "optMap" || name === "optFlatMap") {
      const [variable, body] = args as [Expression, Expression];
      const of = this.estimate(call.receiver as Expression, shapes);
      const inner = this.estimate(body, withNames(shapes, [[nameOf(variable), of.shape]]));
      return { cost: 4 + 2 * of.cost + inner.cost, shape: inner.shape };
    }
    return this.#comprehension(call, shapes);
  }

  #comprehension({ name, args, receiver }: Call, shapes: Shapes): Estimate {
    const range = this.estimate(receiver as Expression, shapes);
    const { shape } = range;
    const names = name.startsWith("transform") || (QUANTIFIERS.has(name) && args.length === 3) ? 2 : 1;
    const value = shape.item?.() ?? this.#unknown;
    const key = shape.isMap === true ? this.#unknown : SCALAR;
    const own: readonly (readonly [string, Shape])[] =
      names === 2
        ? [
            [nameOf(args[0]), key],
            [nameOf(args[1]), value],
          ]
        : [[nameOf(args[0]), shape.isMap === true ? key : value]];
    const bodies = args.slice(names).map((body) => this.estimate(body, withNames(shapes, own)));
    const round = (ROUNDS[name] ?? MAPPING)(total(bodies));
    const begin = name === "filter" || name === "map" || name === "transformList" ? MAKE.list : 0;
    const kept = { size: shape.size, item: () => bodies.at(-1)?.shape };
    const result =
      name === "filter"
        ? { size: shape.size, item: () => value }
        : name === "map" || name === "transformList"
          ? kept
          : name === "transformMap"
            ? { ...kept, isMap: true }
            : SCALAR;
    return { cost: range.cost + begin + times(shape.size, round) + 1, shape: result };
  }

  #call({ name: word, args, receiver }: Call, shapes: Shapes): Estimate {
    const isNamed = receiver?.node === "name" && NAMESPACES.has(receiver.name) && shapes(receiver.name) === undefined;
    const name = isNamed ? `${receiver.name}.${word}` : word;
    const given = receiver === undefined || isNamed ? args : [receiver, ...args];
    const all = given.map((one) => this.estimate(one, shapes));
    if (name === "_?_:_") {
      const [condition, yes, no] = all as [Estimate, Estimate, Estimate];
      return { cost: condition.cost + Math.max(yes.cost, no.cost), shape: largestOf([yes.shape, no.shape]) ?? SCALAR };
    }
    const sizes = all.map(({ shape }) => shape.size);
    const [first = 1, second = 1] = sizes;
    const costs = total(all);
    if (name === "_&&_" || name === "_||_") return { cost: costs, shape: SCALAR };
    // Lists are joined at once, texts letter by letter.
    const isJoining = name === "_+_" && all.some(({ shape }) => shape.item !== undefined);
    const own = !isJoining && Object.hasOwn(COSTS, name) ? (COSTS[name]?.(first, second) ?? 1) : 1;
    return { cost: costs + own, shape: this.#result(name, all) };
  }

  #result(name: string, [first, second]: readonly Estimate[]): Shape {
    const [left, right] = [first?.shape ?? this.#unknown, second?.shape ?? SCALAR];
    if (name === "_+_") return { ...left, size: left.size + right.size };
    if (SCALARS.has(name)) return SCALAR;
    // Of a text or a list nothing longer is made than it is, but by these.
    if (name === "format" || name === "replace" || name === "join" || name === "flatten") return this.#unknown;
    return name === "split" ? { size: left.size, item: () => left } : left;
  }
}

const QUANTIFIERS = new Set(["all", "exists", "exists_one", "existsOne"]);

/** What one round costs around its expressions. */
const MAPPING = (body: number): number => body + 12;
const ROUNDS: Readonly<Record<string, (body: number) => number>> = {
  all: (body) => body + 3,
  exists: (body) => body + 4,
  exists_one: (body) => body + 2,
  existsOne: (body) => body + 2,
  filter: (body) => body + 13,
};

/** Functions that go over what they are given; all others cost one. */
const COSTS: Readonly<Record<string, (first: number, second: number) => number>> = {
  "_==_": shorter,
  "_!=_": shorter,
  "_<_": shorter,
  "_<=_": shorter,
  "_>_": shorter,
  "_>=_": shorter,
  "_+_": (first, second) => part(first + second, TRAVERSE),
  "@in": (_, second) => second,
  _in_: (_, second) => second,
  startsWith: (_, second) => part(second, TRAVERSE),
  endsWith: (_, second) => part(second, TRAVERSE),
  contains: (first, second) => times(part(first, TRAVERSE), part(second, TRAVERSE)),
  matches,
  find: matches,
  findAll: matches,
  check: () => AUTHORIZE,
  "sets.contains": times,
  "sets.intersects": times,
  "sets.equivalent": times,
  ...Object.fromEntries(
    ["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"].map((name) => [
      name,
      (first: number) => first,
    ]),
  ),
  ...Object.fromEntries(
    "lowerAscii upperAscii substring trim split join replace charAt quote url isURL ip isIP cidr isCIDR quantity isQuantity semver isSemver bytes string format reverse"
      .split(" ")
      .map((name) => [name, (first: number) => part(first, TRAVERSE)]),
  ),
};

/** Functions that give a number, a truth or a point in time. */
const SCALARS = new Set(
  "_==_ _!=_ _<_ _<=_ _>_ _>=_ @in _in_ !_ -_ _-_ _*_ _/_ _%_ size startsWith endsWith contains matches check allowed isSorted sum indexOf lastIndexOf isURL isIP isCIDR isQuantity isSemver int uint double bool timestamp duration hasValue sets.contains sets.intersects sets.equivalent includes isGreaterThan isLessThan compareTo sign".split(
    " ",
  ),
);

function shorter(first: number, second: number): number {
  return part(Math.min(first, second), TRAVERSE);
}

function matches(text: number, pattern: number): number {
  return times(part(text + 1, TRAVERSE), part(pattern, REGEX));
}

const part = (size: number, factor: number): number => Math.ceil(size * factor);

/** Nothing, however often, is nothing. */
function times(first: number, second: number): number {
  return first === 0 || second === 0 ? 0 : first * second;
}

const total = (estimates: readonly Estimate[]): number => estimates.reduce((sum, { cost }) => sum + cost, 0);

function largestOf(shapes: readonly Shape[]): Shape | undefined {
  return shapes.reduce<Shape | undefined>(
    (one, other) => (one === undefined || other.size > one.size ? other : one),
    undefined,
  );
}

const nameOf = (expression: Expression | undefined): string => (expression?.node === "name" ? expression.name : "");

function withNames(shapes: Shapes, own: readonly (readonly [string, Shape])[]): Shapes {
  const names = new Map(own);
  return (name) => names.get(name) ?? shapes(name);
}
