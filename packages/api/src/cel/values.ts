import { isBigInteger, toInteger } from "../object/big-integer.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { CelError } from "./syntax.ts";

/**
 * A value of CEL. Integers are bigint, doubles are number, maps and messages are Map. What has no counterpart in
 * JavaScript is a class below.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | Uint
  | Timestamp
  | Duration
  | Optional
  | TypeValue
  | Opaque;

/** An unsigned integer of 64 bits. */
export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

const NANO = 1_000_000_000n;

export class Timestamp {
  /** Since the epoch. */
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  toString(): string {
    const seconds = this.nanos / NANO - (this.nanos % NANO < 0n ? 1n : 0n);
    const rest = this.nanos - seconds * NANO;
    const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    return rest === 0n ? `${text}Z` : `${text}.${rest.toString().padStart(9, "0").replace(/0+$/, "")}Z`;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  toString(): string {
    const size = this.nanos < 0n ? -this.nanos : this.nanos;
    const rest = (size % NANO).toString().padStart(9, "0").replace(/0+$/, "");
    return `${this.nanos < 0n ? "-" : ""}${size / NANO}${rest === "" ? "" : `.${rest}`}s`;
  }
}

export class Optional {
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export const NOTHING = new Optional(undefined);

/** A type as a value: what `type(x)` gives. */
export class TypeValue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A value of a library: only its functions look into it. */
export class Opaque {
  /** Of its type. */
  readonly type: string;
  readonly inner: unknown;
  /** Two are equal where this is. */
  readonly key: string;

  constructor(type: string, inner: unknown, key: string) {
    this.type = type;
    this.inner = inner;
    this.key = key;
  }
}

/** The name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return "null_type";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "double";
  if (typeof value === "string") return "string";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "map";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Uint) return "uint";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof Optional) return "optional_type";
  if (value instanceof TypeValue) return "type";
  return (value as Opaque).type;
}

const isNumber = (value: Value): value is bigint | number | Uint =>
  typeof value === "bigint" || typeof value === "number" || value instanceof Uint;

const plain = (value: bigint | number | Uint): bigint | number => (value instanceof Uint ? value.value : value);

/** Numbers are equal whatever their type; values of other types never are to each other. */
export function equal(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (left === null || right === null) return false;
  if (isNumber(left)) return isNumber(right) && plain(left) == plain(right);
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (Array.isArray(left))
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((one, index) => equal(one, right[index] as Value))
    );
  if (left instanceof Map) return right instanceof Map && equalMaps(left, right);
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name;
  if (left instanceof Opaque) return right instanceof Opaque && left.type === right.type && left.key === right.key;
  if (!(left instanceof Optional) || !(right instanceof Optional)) return false;
  if (left.value === undefined || right.value === undefined) return left.value === right.value;
  return equal(left.value, right.value);
}

function equalMaps(left: ReadonlyMap<Value, Value>, right: ReadonlyMap<Value, Value>): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left) {
    const other = lookUp(right, key);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

/** The value of a key, which may be a number of another type. */
export function lookUp(map: ReadonlyMap<Value, Value>, key: Value): Value | undefined {
  const found = map.get(key);
  if (found !== undefined || !isNumber(key)) return found;
  for (const [own, value] of map) if (equal(own, key)) return value;
  return undefined;
}

/** Less than 0, 0, or more; undefined for what has no order. */
export function compare(left: Value, right: Value): number | undefined {
  if (isNumber(left) && isNumber(right)) {
    const [one, other] = [plain(left), plain(right)];
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.NaN;
    return one < other ? -1 : one > other ? 1 : 0;
  }
  const order = (one: bigint | string, other: bigint | string): number => (one < other ? -1 : one > other ? 1 : 0);
  if (typeof left === "string" && typeof right === "string") return order(left, right);
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  if (left instanceof Timestamp && right instanceof Timestamp) return order(left.nanos, right.nanos);
  if (left instanceof Duration && right instanceof Duration) return order(left.nanos, right.nanos);
  return undefined;
}

/** A value of JSON without a schema: whole numbers are integers. */
export function fromJson(value: Json | undefined): Value {
  if (value === undefined || value === null) return null;
  if (isBigInteger(value)) return value.value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJson);
  if (!isObject(value)) return value;
  const map = new Map<Value, Value>();
  for (const [field, item] of Object.entries(value)) if (item !== undefined) map.set(field, fromJson(item));
  return map;
}

/** @throws CelError for what JSON does not have */
export function toJson(value: Value): Json {
  if (value === null || typeof value === "boolean" || typeof value === "string" || typeof value === "number")
    return value;
  if (typeof value === "bigint") return toInteger(value);
  if (value instanceof Uint) return Number(value.value);
  if (Array.isArray(value)) return value.map((one: Value) => toJson(one));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Timestamp || value instanceof Duration) return value.toString();
  if (value instanceof Opaque) return value.key;
  if (value instanceof Map) {
    const object: JsonObject = {};
    for (const [key, item] of value as ReadonlyMap<Value, Value>) {
      if (typeof key !== "string") throw new CelError(`a key of JSON is no ${typeName(key)}`, 0);
      Object.defineProperty(object, key, { value: toJson(item), enumerable: true, configurable: true, writable: true });
    }
    return object;
  }
  throw new CelError(`${typeName(value)} is no value of JSON`, 0);
}

const UNITS: Readonly<Record<string, bigint>> = {
  h: 3600n * NANO,
  m: 60n * NANO,
  s: NANO,
  ms: 1_000_000n,
  us: 1000n,
  µs: 1000n,
  ns: 1n,
};

/** Go's durations, `1h30m`, `1.5s`; undefined for what is none. */
export function parseDuration(text: string): Duration | undefined {
  const { sign = "", rest = "" } = /^(?<sign>[+-]?)(?<rest>.*)$/s.exec(text)?.groups ?? {};
  if (rest === "0") return new Duration(0n);
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|us|\u00b5s|ns|s))+$/.test(rest)) return undefined;
  let nanos = 0n;
  for (const { groups = {} } of rest.matchAll(/(?<whole>\d*)\.?(?<part>\d*)(?<unit>h|ms|m|us|\u00b5s|ns|s)/g)) {
    const { whole = "", part = "", unit = "" } = groups;
    nanos += (BigInt(`${whole}${part}` || "0") * (UNITS[unit] ?? 0n)) / 10n ** BigInt(part.length);
  }
  return nanos >= 2n ** 63n ? undefined : new Duration(sign === "-" ? -nanos : nanos);
}

const TIME = /^(?<seconds>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(?<part>\d{1,9}))?(?<zone>[Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339; undefined for what is no time. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const { seconds = "", part = "", zone = "" } = TIME.exec(text)?.groups ?? {};
  const milliseconds = Date.parse(`${seconds}${zone}`.toUpperCase());
  if (seconds === "" || Number.isNaN(milliseconds)) return undefined;
  return new Timestamp(BigInt(milliseconds) * 1_000_000n + BigInt(part.padEnd(9, "0")));
}
