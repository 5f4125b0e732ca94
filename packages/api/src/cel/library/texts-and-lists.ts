import type { Turns } from "@boxship/base";
import { compilePattern, isCompiled } from "../../patterns/search.ts";
import { findInTurns, matchInTurns } from "../../patterns/search-in-turns.ts";
import type { Library } from "../functions.ts";
import { CelError } from "../syntax.ts";
import {
  compare,
  Duration,
  equal,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  typeName,
  Uint,
  type Value,
} from "../values.ts";
import { isOfTexts } from "./costs.ts";

const fail = (message: string): never => {
  throw new CelError(message, 0);
};

/** To be compiled in a turn of its own: that may take milliseconds. @returns it @throws CelError for a text that is none */
function* checked(pattern: string): Turns<string> {
  try {
    if (isCompiled(pattern)) return pattern;
    compilePattern(pattern);
  } catch {
    return fail(`error parsing regexp: ${JSON.stringify(pattern)}`);
  }
  yield undefined;
  return pattern;
}

function* matches(text: string, pattern: string): Turns<boolean> {
  return yield* matchInTurns(yield* checked(pattern), text);
}

function* findAll(text: string, pattern: string, limit = -1n): Turns<readonly string[]> {
  return yield* findInTurns(yield* checked(pattern), text, limit < 0n ? Number.POSITIVE_INFINITY : Number(limit));
}

function* find(text: string, pattern: string): Turns<string> {
  return (yield* findAll(text, pattern, 1n))[0] ?? "";
}

/** Indexes count characters, not halves of them. */
const letters = (text: string): string[] => Array.from(text);

function indexOf(text: string, part: string, from = 0n): bigint {
  const all = letters(text);
  if (from < 0n || from > BigInt(all.length)) return fail(`index out of range: ${from}`);
  const wanted = letters(part);
  for (let at = Number(from); at + wanted.length <= all.length; at++)
    if (wanted.every((letter, index) => all[at + index] === letter)) return BigInt(at);
  return -1n;
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const all = letters(text);
  const wanted = letters(part);
  if (from !== undefined && (from < 0n || from > BigInt(all.length))) return fail(`index out of range: ${from}`);
  for (let at = Math.min(Number(from ?? all.length), all.length - wanted.length); at >= 0; at--)
    if (wanted.every((letter, index) => all[at + index] === letter)) return BigInt(at);
  return -1n;
}

function substring(text: string, start: bigint, end?: bigint): string {
  const all = letters(text);
  const last = end ?? BigInt(all.length);
  if (start < 0n || last > BigInt(all.length) || start > last) return fail(`index out of range: ${start}`);
  return all.slice(Number(start), Number(last)).join("");
}

function split(text: string, by: string, limit = -1n): Value[] {
  if (limit === 0n) return [];
  const parts = by === "" ? letters(text) : text.split(by);
  if (limit < 0n || BigInt(parts.length) <= limit) return parts;
  const kept = parts.slice(0, Number(limit) - 1);
  return [...kept, parts.slice(Number(limit) - 1).join(by)];
}

function replace(text: string, old: string, by: string, limit = -1n): string {
  if (limit < 0n) return text.replaceAll(old, () => by);
  let [result, rest] = ["", text];
  for (let count = 0n; count < limit; count++) {
    const at = rest.indexOf(old);
    if (at < 0 || old === "") break;
    result += rest.slice(0, at) + by;
    rest = rest.slice(at + old.length);
  }
  return result + rest;
}

const ascii = (change: (letter: string) => string) => (text: string) => text.replace(/[A-Za-z]/g, change);

export const TEXTS: Library = {
  "string.startsWith(string): bool": (a: string, b: string) => a.startsWith(b),
  "string.endsWith(string): bool": (a: string, b: string) => a.endsWith(b),
  "string.contains(string): bool": (a: string, b: string) => a.includes(b),
  "string.matches(string): bool": matches,
  "matches(string, string): bool": matches,
  "string.find(string): string": find,
  "string.findAll(string): list<string>": findAll,
  "string.findAll(string, int): list<string>": findAll,
  "string.charAt(int): string": (a: string, at: bigint) => {
    const all = letters(a);
    return at < 0n || at > BigInt(all.length) ? fail(`index out of range: ${at}`) : (all[Number(at)] ?? "");
  },
  "string.indexOf(string): int": (a: string, b: string) => indexOf(a, b),
  "string.indexOf(string, int): int": indexOf,
  "string.lastIndexOf(string): int": (a: string, b: string) => lastIndexOf(a, b),
  "string.lastIndexOf(string, int): int": lastIndexOf,
  "string.lowerAscii(): string": ascii((letter) => letter.toLowerCase()),
  "string.upperAscii(): string": ascii((letter) => letter.toUpperCase()),
  "string.replace(string, string): string": (a: string, b: string, c: string) => replace(a, b, c),
  "string.replace(string, string, int): string": replace,
  "string.split(string): list<string>": (a: string, b: string) => split(a, b),
  "string.split(string, int): list<string>": split,
  "string.substring(int): string": (a: string, b: bigint) => substring(a, b),
  "string.substring(int, int): string": substring,
  "string.trim(): string": (a: string) => a.trim(),
  "string.reverse(): string": (a: string) => letters(a).reverse().join(""),
  "string.format(list<dyn>): string": format,
  "strings.quote(string): string": (a: string) => JSON.stringify(a),
  "list<string>.join(): string": (a: string[]) => a.join(""),
  "list<string>.join(string): string": (a: string[], b: string) => a.join(b),
  "jsonpatch.escapeKey(string): string": (a: string) => a.replaceAll("~", "~0").replaceAll("/", "~1"),
};

/** `%s`, `%d`, `%f`, `%e`, `%b`, `%o`, `%x`, `%X`, with a precision. */
function format(text: string, args: readonly Value[]): string {
  let next = 0;
  return text.replace(/%(?:%|(?:\.(?<precision>\d+))?(?<verb>[sdfebxXo]))|%/g, (whole: string, ...rest: unknown[]) => {
    if (whole === "%%") return "%";
    const { precision, verb } = rest.at(-1) as Record<string, string | undefined>;
    if (verb === undefined) return fail("unrecognized formatting clause");
    const value = args[next++];
    if (value === undefined) return fail(`index ${next - 1} out of range`);
    return formatOne(value, verb, precision === undefined ? 6 : Number(precision));
  });
}

function formatOne(value: Value, verb: string, precision: number): string {
  if (verb === "s") return textOf(value);
  const number = value instanceof Uint ? value.value : value;
  if (verb === "f" || verb === "e") {
    if (typeof number !== "number" && typeof number !== "bigint")
      return fail(`%${verb} wants a number, not ${typeName(value)}`);
    return verb === "f"
      ? Number(number).toFixed(precision)
      : Number(number)
          .toExponential(precision)
          .replace(/e([+-])(\d)$/, "e$10$2");
  }
  if (verb === "x" || verb === "X") {
    const bytes =
      typeof value === "string" || value instanceof Uint8Array
        ? Buffer.from(value as string).toString("hex")
        : undefined;
    const hex =
      bytes ?? (typeof number === "bigint" ? number.toString(16) : fail(`%${verb} wants no ${typeName(value)}`));
    return verb === "X" ? hex.toUpperCase() : hex;
  }
  if (verb === "b" && typeof number === "boolean") return number ? "1" : "0";
  if (verb === "d" && typeof number === "number") return String(number);
  if (typeof number !== "bigint") return fail(`%${verb} wants an integer, not ${typeName(value)}`);
  return number.toString({ b: 2, o: 8, d: 10 }[verb] ?? 10);
}

function textOf(value: Value): string {
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof Uint) return String(value.value);
  if (Array.isArray(value)) return `[${value.map((one: Value) => textOf(one)).join(", ")}]`;
  if (value instanceof Map) {
    const parts = [...(value as ReadonlyMap<Value, Value>)].map(([key, item]) => `${textOf(key)}: ${textOf(item)}`);
    return `{${parts.toSorted().join(", ")}}`;
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Timestamp || value instanceof Duration) return value.toString();
  if (value instanceof TypeValue) return value.name;
  return value instanceof Opaque ? value.key : typeName(value);
}

function ordered(left: Value, right: Value): number {
  return compare(left, right) ?? fail(`no such overload: ${typeName(left)} and ${typeName(right)} have no order`);
}

function extreme(list: readonly Value[], sign: number): Value {
  const [first, ...others] = list;
  if (first === undefined) return fail(`${sign > 0 ? "max" : "min"} called on empty list`);
  return others.reduce<Value>((best, one) => (ordered(one, best) * sign > 0 ? one : best), first);
}

function sum(list: readonly Value[]): Value {
  let total: Value = 0n;
  for (const [index, one] of list.entries()) {
    if (index === 0) total = one;
    else if (typeof one === "bigint" && typeof total === "bigint") total += one;
    else if (typeof one === "number" && typeof total === "number") total += one;
    else if (one instanceof Uint && total instanceof Uint) total = new Uint(one.value + total.value);
    else if (one instanceof Duration && total instanceof Duration) total = new Duration(one.nanos + total.nanos);
    else return fail("no such overload: sum");
  }
  return total;
}

function flatten(list: readonly Value[], depth: number): Value[] {
  return list.flatMap((one) => (Array.isArray(one) && depth > 0 ? flatten(one as Value[], depth - 1) : [one]));
}

function distinct(list: readonly Value[]): Value[] {
  if (isOfTexts(list)) return [...new Set(list)];
  const kept: Value[] = [];
  for (const one of list) if (!kept.some((other) => equal(other, one))) kept.push(one);
  return kept;
}

const containsAll = (list: readonly Value[], part: readonly Value[]): boolean =>
  part.every((one) => list.some((other) => equal(one, other)));

export const LISTS: Library = {
  "list<A>.isSorted(): bool": (a: Value[]) =>
    a.every((one, index) => index === 0 || ordered(a[index - 1] as Value, one) <= 0),
  "list<A>.sum(): A": sum,
  "list<A>.min(): A": (a: Value[]) => extreme(a, -1),
  "list<A>.max(): A": (a: Value[]) => extreme(a, 1),
  "list<A>.indexOf(A): int": (a: Value[], b: Value) => BigInt(a.findIndex((one) => equal(one, b))),
  "list<A>.lastIndexOf(A): int": (a: Value[], b: Value) => BigInt(a.findLastIndex((one) => equal(one, b))),
  "list<A>.includes(A): bool": (a: Value[], b: Value) => a.some((one) => equal(one, b)),
  "list<A>.slice(int, int): list<A>": (a: Value[], from: bigint, to: bigint) =>
    from < 0n || to > BigInt(a.length) || from > to ? fail("index out of range") : a.slice(Number(from), Number(to)),
  "list<dyn>.flatten(): list<dyn>": (a: Value[]) => flatten(a, 1),
  "list<dyn>.flatten(int): list<dyn>": (a: Value[], depth: bigint) => flatten(a, Math.min(Number(depth), 100)),
  "list<A>.distinct(): list<A>": distinct,
  "list<A>.reverse(): list<A>": (a: Value[]) => a.toReversed(),
  "list<A>.sort(): list<A>": (a: Value[]) => a.toSorted(ordered),
  "list<A>.first(): optional<A>": (a: Value[]) => new Optional(a[0]),
  "list<A>.last(): optional<A>": (a: Value[]) => new Optional(a.at(-1)),
  "sets.contains(list<A>, list<A>): bool": containsAll,
  "sets.equivalent(list<A>, list<A>): bool": (a: Value[], b: Value[]) => containsAll(a, b) && containsAll(b, a),
  "sets.intersects(list<A>, list<A>): bool": (a: Value[], b: Value[]) =>
    a.some((one) => b.some((other) => equal(one, other))),
};
