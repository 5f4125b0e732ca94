import {
  anyMapType,
  anySliceType,
  boolType,
  bytesType,
  complexType,
  float64Type,
  funcType,
  type GoFunc,
  type GoType,
  intBits,
  intType,
  isSigned,
  isUnsigned,
  stringType,
} from "./types.ts";

/**
 * A value with its Go type. Plain JavaScript values need no wrapping; they are read like this:
 *
 * | JavaScript | Go |
 * |---|---|
 * | `null`, `undefined` | nil |
 * | boolean, string | `bool`, `string` |
 * | bigint | `int` |
 * | number | `float64` |
 * | array | `[]interface {}` |
 * | `Uint8Array` | `[]uint8` |
 * | `Map`, plain object | `map[string]interface {}` |
 * | function, {@link GoFunc} | a function |
 *
 * Everything else (other integer kinds, structs, typed maps, pointers) is a `Value`. Inside one, the raw data is read
 * by the type: ints may be bigint or integral numbers, a missing struct field is its zero value.
 *
 * Strings are text: `len`, `index` and `slice` count UTF-8 bytes as Go does, but half a character cannot be kept.
 */
export class Value {
  readonly type: GoType;
  readonly raw: unknown;

  constructor(type: GoType, raw: unknown) {
    this.type = type;
    this.raw = raw;
  }
}

/** A complex number; only constants such as `1i` make one. */
export class Complex {
  readonly real: number;
  readonly imaginary: number;

  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/** A value, or nothing at all: Go's zero `reflect.Value`, which prints as `<no value>`. */
export type MaybeValue = Value | undefined;

/** Gives raw data a type. */
export function typed(type: GoType, raw: unknown): Value {
  return new Value(type, raw);
}

export function isGoFunc(value: unknown): value is GoFunc {
  return typeof value === "object" && value !== null && "params" in value && "call" in value;
}

/** What a JavaScript value is in Go; nil is undefined. */
export function valueOf(plain: unknown): MaybeValue {
  if (plain instanceof Value) return plain;
  switch (typeof plain) {
    case "boolean":
      return new Value(boolType, plain);
    case "string":
      return new Value(stringType, plain);
    case "bigint":
      return new Value(intType, plain);
    case "number":
      return new Value(float64Type, plain);
    case "function":
      return new Value(funcType, plain);
    case "object":
      return plain === null ? undefined : objectValue(plain);
    default:
      return undefined;
  }
}

function objectValue(plain: object): Value {
  if (Array.isArray(plain)) return new Value(anySliceType, plain);
  if (plain instanceof Uint8Array) return new Value(bytesType, plain);
  if (plain instanceof Complex) return new Value(complexType, plain);
  if (isGoFunc(plain)) return new Value(funcType, plain);
  return new Value(anyMapType, plain);
}

/** A raw value in a place of a static type, such as a map's element. */
export function inPlace(type: GoType, raw: unknown): Value {
  if (type.kind !== "interface" && raw instanceof Value) return raw;
  return new Value(type, raw);
}

/** The plainest form of a value: what injected functions are given. */
export function plainOf(value: MaybeValue): unknown {
  if (value === undefined) return undefined;
  const { type, raw } = value;
  switch (type.name) {
    case "interface {}":
      return plainOf(valueOf(raw));
    case "bool":
      return boolOf(value);
    case "string":
      return textOf(value);
    case "int":
      return intOf(value);
    case "float64":
      return floatOf(value);
    case "[]interface {}":
    case "map[string]interface {}":
      return raw ?? value;
    default:
      return type.kind === "func" ? raw : value;
  }
}

export function boolOf(value: Value): boolean {
  return value.raw === true;
}

export function textOf(value: Value): string {
  return typeof value.raw === "string" ? value.raw : "";
}

/** The integer, wrapped to the width of its kind. */
export function intOf(value: Value): bigint {
  const { raw, type } = value;
  const whole = typeof raw === "bigint" ? raw : typeof raw === "number" ? BigInt(Math.trunc(raw) || 0) : 0n;
  return isUnsigned(type.kind) ? BigInt.asUintN(intBits(type.kind), whole) : BigInt.asIntN(intBits(type.kind), whole);
}

export function floatOf(value: Value): number {
  const number = typeof value.raw === "bigint" ? Number(value.raw) : typeof value.raw === "number" ? value.raw : 0;
  return value.type.kind === "float32" ? Math.fround(number) : number;
}

export function complexOf(value: Value): Complex {
  return value.raw instanceof Complex ? value.raw : new Complex(0, 0);
}

/** Elements of a slice as values in place. */
export function elementsOf(value: Value): Value[] {
  if (value.type.kind !== "slice") return [];
  const { elem } = value.type;
  if (value.raw instanceof Uint8Array) return Array.from(value.raw, (byte) => new Value(elem, byte));
  return Array.isArray(value.raw) ? value.raw.map((raw) => inPlace(elem, raw)) : [];
}

function rawEntries(raw: unknown): [unknown, unknown][] {
  if (raw instanceof Map) return [...raw.entries()];
  return typeof raw === "object" && raw !== null ? Object.entries(raw) : [];
}

/** How a raw map key reads as a value of the key type: JSON objects keep even numbers as text. */
function keyValue(type: GoType, raw: unknown): Value {
  if (typeof raw === "string" && (isSigned(type.kind) || isUnsigned(type.kind))) return new Value(type, BigInt(raw));
  return inPlace(type, raw);
}

/** Entries of a map in the order in which Go prints and ranges over them. */
export function entriesOf(value: Value): [Value, Value][] {
  const { type } = value;
  if (type.kind !== "map") return [];
  const entries = rawEntries(value.raw).map(([key, raw]): [Value, Value] => [
    keyValue(type.key, key),
    inPlace(type.elem, raw),
  ]);
  return entries.sort(([a], [b]) => compareKeys(a, b));
}

const KEY_RANK: Readonly<Record<string, number>> = { bool: 1, string: 4, float32: 3, float64: 3 };

function keyRank(value: MaybeValue): number {
  return value === undefined ? 0 : (KEY_RANK[value.type.kind] ?? 2);
}

function compareKeys(left: Value, right: Value): number {
  const a = stripInterface(left);
  const b = stripInterface(right);
  const rank = keyRank(a) - keyRank(b);
  if (rank !== 0 || a === undefined || b === undefined) return rank;
  if (a.type.kind === "string") return compareText(textOf(a), textOf(b));
  if (a.type.kind === "bool") return Number(boolOf(a)) - Number(boolOf(b));
  if (keyRank(a) === 3) return floatOf(a) - floatOf(b);
  const difference = intOf(a) - intOf(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Compares strings by their UTF-8 bytes. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  // UTF-16 order differs from UTF-8 order only where surrogates meet the characters from U+E000 up.
  if (!/[\ud800-\uffff]/.test(a) && !/[\ud800-\uffff]/.test(b)) return a < b ? -1 : 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A map's element, or undefined when the key is missing. */
export function mapEntry(value: Value, key: Value): MaybeValue {
  const { type, raw } = value;
  if (type.kind !== "map") return undefined;
  const plainKey = plainOf(key);
  if (raw instanceof Map) return raw.has(plainKey) ? inPlace(type.elem, raw.get(plainKey)) : undefined;
  if (typeof raw !== "object" || raw === null) return undefined;
  const name = String(plainKey);
  return Object.hasOwn(raw, name) ? inPlace(type.elem, (raw as Record<string, unknown>)[name]) : undefined;
}

/** A struct's field, or undefined when the type has none of that name. */
export function fieldOf(value: Value, name: string): MaybeValue {
  if (value.type.kind !== "struct") return undefined;
  const field = value.type.fields.find((candidate) => candidate.name === name);
  return field === undefined ? undefined : inPlace(field.type, rawField(value.raw, field.key ?? field.name));
}

export function rawField(raw: unknown, key: string): unknown {
  if (typeof raw !== "object" || raw === null || !Object.hasOwn(raw, key)) return undefined;
  return (raw as Record<string, unknown>)[key];
}

/** Number of elements, entries or UTF-8 bytes; undefined for kinds without a length. */
export function lengthOf(value: Value): number | undefined {
  switch (value.type.kind) {
    case "string":
      return Buffer.byteLength(textOf(value));
    case "slice":
      return Array.isArray(value.raw) || value.raw instanceof Uint8Array ? value.raw.length : 0;
    case "map":
      return value.raw instanceof Map ? value.raw.size : rawEntries(value.raw).length;
    default:
      return undefined;
  }
}

export function isNil(value: Value): boolean {
  switch (value.type.kind) {
    case "func":
    case "interface":
    case "map":
    case "pointer":
    case "slice":
      return value.raw === undefined || value.raw === null;
    default:
      return false;
  }
}

/** What is inside an interface; other values as they are. */
export function stripInterface(value: MaybeValue): MaybeValue {
  return value?.type.kind === "interface" ? valueOf(value.raw) : value;
}

/** Follows pointers and interfaces. A nil one on the way ends it, with `nil` set. */
export function indirect(value: MaybeValue): { readonly value: MaybeValue; readonly nil: boolean } {
  let current = value;
  while (current !== undefined && (current.type.kind === "pointer" || current.type.kind === "interface")) {
    if (isNil(current)) return { value: current, nil: true };
    current = current.type.kind === "pointer" ? inPlace(current.type.elem, current.raw) : valueOf(current.raw);
  }
  return { value: current, nil: false };
}

/** Go's truth: not the zero value of the kind, and not empty; structs are always true. */
export function isTrue(value: MaybeValue): boolean {
  if (value === undefined) return false;
  const { kind } = value.type;
  if (kind === "bool") return boolOf(value);
  if (kind === "struct") return true;
  if (kind === "float32" || kind === "float64") return floatOf(value) !== 0;
  if (kind === "complex128") return complexOf(value).real !== 0 || complexOf(value).imaginary !== 0;
  if (isSigned(kind) || isUnsigned(kind)) return intOf(value) !== 0n;
  const length = lengthOf(value);
  return length === undefined ? !isNil(value) : length > 0;
}

/** The zero value of a type. */
export function zeroOf(type: GoType): Value {
  return new Value(type, undefined);
}

/** Whether a value of type `from` can stand where `to` is wanted. */
export function isAssignable(from: GoType, to: GoType): boolean {
  return to.kind === "interface" || from.name === to.name;
}
