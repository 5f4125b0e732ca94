import {
  anyMapType,
  elementsOf,
  type GoType,
  indirect,
  int64Type,
  intOf,
  isFloat,
  isGoNil,
  isSigned,
  isTrue,
  isUnsigned,
  plainOf,
  sprint,
  type TemplateFunction,
  textOfValue,
  typed,
  Value,
  valueOf,
} from "@boxship/template";

/** A map of a template: what `dict` makes and `.Values` is. Its keys are data, so none of them may mean anything. */
export interface Dict {
  [key: string]: unknown;
}

/** Texts that one function makes are at most this long. */
const MOST_CHARACTERS = 64 * 1024 * 1024;
/** Lists that one function makes have at most this many items. */
const MOST_ITEMS = 1_000_000;

export function boundText(characters: number): void {
  if (characters > MOST_CHARACTERS) throw new Error(`the result is longer than ${MOST_CHARACTERS} characters`);
}

export function boundItems(items: number): void {
  if (items > MOST_ITEMS) throw new Error(`the result has more than ${MOST_ITEMS} items`);
}

/** Sets a key, whatever its name is. */
export function putKey(dict: Dict, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(dict, key, { value, enumerable: true, configurable: true, writable: true });
  } else dict[key] = value;
}

export const getKey = (dict: Dict, key: string): unknown => (Object.hasOwn(dict, key) ? dict[key] : undefined);

/** Describes a function by the types of its parameters. */
export function define(
  params: readonly GoType[],
  call: (...args: never[]) => unknown,
  variadic?: GoType,
): TemplateFunction {
  return { params, call, ...(variadic !== undefined && { variadic }) };
}

export const isDict = (value: unknown): value is Dict =>
  typeof value === "object" && value !== null && valueOf(value)?.type === anyMapType;

/** Items of a slice of any type; undefined for what is none. */
export function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  const whole = valueOf(value);
  return whole?.type.kind === "slice" ? elementsOf(whole).map(plainOf) : undefined;
}

/** @throws Error in the words of sprig: `Cannot push on type string` */
export function needItems(value: unknown, what: string): readonly unknown[] {
  const items = itemsOf(value);
  if (items !== undefined) return items;
  // Go's reflection has no type for nil, and says so in its own way.
  if (valueOf(value) === undefined) throw new Error("runtime error: invalid memory address or nil pointer dereference");
  throw new Error(`${what} type ${kindOf(value)}`);
}

export function kindOf(value: unknown): string {
  const kind = valueOf(value)?.type.kind ?? "invalid";
  return kind === "pointer" ? "ptr" : kind;
}

/** Go's name of a value's type, `%T`. */
export const typeOf = (value: unknown): string => valueOf(value)?.type.name ?? "<nil>";

/** A value as text, as sprig's functions take it where they want some. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const whole = valueOf(value);
  if (whole === undefined) return "<nil>";
  if (whole.type.name === "[]uint8") return Buffer.from(whole.raw as Uint8Array).toString();
  return sprint([whole]);
}

export const int64 = (value: bigint): Value => typed(int64Type, BigInt.asIntN(64, value));

/** Any value as an integer; 0 for what is none. */
export function toInteger(value: unknown): bigint {
  const whole = indirect(valueOf(value)).value;
  if (whole === undefined) return 0n;
  const { kind } = whole.type;
  if (isSigned(kind) || isUnsigned(kind)) return BigInt.asIntN(64, intOf(whole));
  if (isFloat(kind)) return floatToInteger(Number(whole.raw));
  if (kind === "bool") return whole.raw === true ? 1n : 0n;
  return kind === "string" ? (parseInteger(trimZeroDecimal(textOfValue(whole))) ?? 0n) : 0n;
}

/** What a processor makes of floats that are no integers of 64 bits is the least one. */
function floatToInteger(value: number): bigint {
  const least = -(2n ** 63n);
  if (!Number.isFinite(value)) return least;
  const whole = BigInt(Math.trunc(value));
  return BigInt.asIntN(64, whole) === whole ? whole : least;
}

/** `1.000` is 1 where integers are read. */
function trimZeroDecimal(text: string): string {
  return /^[^.]*\.0+$/.test(text) ? text.slice(0, text.indexOf(".")) : text;
}

/** Go's `strconv.ParseInt` with base 0: prefixes, octal by a leading zero, underscores between digits. */
export function parseInteger(text: string): bigint | undefined {
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (/(^_|__|_$)/.test(digits)) return undefined;
  const plain = digits.replaceAll("_", "").toLowerCase();
  const shaped = /^0x[\da-f]+$|^0b[01]+$|^0o[0-7]+$|^0[0-7]*$|^[1-9]\d*$/.test(plain);
  if (!shaped) return undefined;
  const whole = BigInt(/^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain);
  const value = sign === "-" ? -whole : whole;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Any value as a float; 0 for what is none. */
export function toFloat(value: unknown): number {
  const whole = indirect(valueOf(value)).value;
  if (whole === undefined) return 0;
  const { kind } = whole.type;
  if (isSigned(kind) || isUnsigned(kind)) return Number(intOf(whole));
  if (isFloat(kind)) return Number(whole.raw ?? 0);
  if (kind === "bool") return whole.raw === true ? 1 : 0;
  return kind === "string" ? (parseFloat64(textOfValue(whole)) ?? 0) : 0;
}

/** Go's `strconv.ParseFloat`, decimal and special values. */
export function parseFloat64(text: string): number | undefined {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** Sprig's emptiness: zero values, nothing, and what has no items. */
export function isEmpty(value: unknown): boolean {
  const whole = valueOf(value);
  if (whole === undefined) return true;
  return whole.type.kind === "pointer" ? isGoNil(whole) : !isTrue(whole);
}

/** Go's `reflect.DeepEqual`: types count. */
export function deepEqual(a: unknown, b: unknown): boolean {
  const one = valueOf(a);
  const other = valueOf(b);
  if (one === undefined || other === undefined) return one === other;
  if (one.type.name !== other.type.name) return false;
  if (one.type.kind === "slice") {
    const [left, right] = [elementsOf(one), elementsOf(other)];
    return left.length === right.length && left.every((item, at) => deepEqual(plainOf(item), plainOf(right[at])));
  }
  if (isDict(one.raw) && isDict(other.raw) && one.type.kind === "map") {
    const [left, right] = [one.raw, other.raw];
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && deepEqual(left[key], right[key]))
    );
  }
  if (isSigned(one.type.kind) || isUnsigned(one.type.kind)) return intOf(one) === intOf(other);
  return one.raw === other.raw;
}

/** A copy whose maps and lists are its own. */
export function deepCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(deepCopy);
  if (value instanceof Value) return new Value(value.type, deepCopy(value.raw));
  if (!isDict(value) || value instanceof Map) return value;
  const copy: Dict = {};
  for (const key of Object.keys(value)) putKey(copy, key, deepCopy(value[key]));
  return copy;
}
