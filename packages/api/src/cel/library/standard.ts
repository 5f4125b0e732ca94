import type { Library } from "../functions.ts";
import { CelError } from "../syntax.ts";
import {
  compare,
  Duration,
  equal,
  lookUp,
  Optional,
  parseDuration,
  parseTimestamp,
  Timestamp,
  TypeValue,
  typeName,
  Uint,
  type Value,
} from "../values.ts";

const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);
const LARGEST_UNSIGNED = 2n ** 64n - 1n;

const fail = (message: string): never => {
  throw new CelError(message, 0);
};

function int(value: bigint): bigint {
  return value > LARGEST || value < SMALLEST ? fail("integer overflow") : value;
}

function uint(value: bigint): Uint {
  return value > LARGEST_UNSIGNED || value < 0n ? fail("unsigned integer overflow") : new Uint(value);
}

const time = (nanos: bigint): Timestamp => {
  const year = Number(nanos / 1_000_000_000n);
  return year < -62_135_596_800 || year > 253_402_300_799 ? fail("timestamp overflow") : new Timestamp(nanos);
};

const span = (nanos: bigint): Duration => new Duration(int(nanos));

function divide(left: bigint, right: bigint): bigint {
  return right === 0n ? fail("division by zero") : int(left / right);
}

function remainder(left: bigint, right: bigint): bigint {
  return right === 0n ? fail("modulus by zero") : left % right;
}

/** `_<_` and its like for every type that has an order. */
function orders(): Library {
  const holds: Readonly<Record<string, (order: number) => boolean>> = {
    "_<_": (order) => order < 0,
    "_<=_": (order) => order <= 0,
    "_>_": (order) => order > 0,
    "_>=_": (order) => order >= 0,
  };
  const library: Record<string, (left: Value, right: Value) => Value> = {};
  const numbers = ["int", "uint", "double"];
  const same = ["string", "bool", "bytes", "timestamp", "duration"].map((type) => [type, type] as const);
  const pairs = [...numbers.flatMap((left) => numbers.map((right) => [left, right] as const)), ...same];
  for (const [name, test] of Object.entries(holds)) {
    for (const [left, right] of pairs)
      library[`${name}(${left}, ${right}): bool`] = (one, other) => test(compare(one, other) ?? Number.NaN);
  }
  return library;
}

const ARITHMETIC: Library = {
  "_+_(int, int): int": (a: bigint, b: bigint) => int(a + b),
  "_+_(uint, uint): uint": (a: Uint, b: Uint) => uint(a.value + b.value),
  "_+_(double, double): double": (a: number, b: number) => a + b,
  "_+_(string, string): string": (a: string, b: string) => a + b,
  "_+_(bytes, bytes): bytes": (a: Uint8Array, b: Uint8Array) => Buffer.concat([a, b]),
  "_+_(list<A>, list<A>): list<A>": (a: Value[], b: Value[]) => [...a, ...b],
  "_+_(timestamp, duration): timestamp": (a: Timestamp, b: Duration) => time(a.nanos + b.nanos),
  "_+_(duration, timestamp): timestamp": (a: Duration, b: Timestamp) => time(a.nanos + b.nanos),
  "_+_(duration, duration): duration": (a: Duration, b: Duration) => span(a.nanos + b.nanos),
  "_-_(int, int): int": (a: bigint, b: bigint) => int(a - b),
  "_-_(uint, uint): uint": (a: Uint, b: Uint) => uint(a.value - b.value),
  "_-_(double, double): double": (a: number, b: number) => a - b,
  "_-_(timestamp, timestamp): duration": (a: Timestamp, b: Timestamp) => span(a.nanos - b.nanos),
  "_-_(timestamp, duration): timestamp": (a: Timestamp, b: Duration) => time(a.nanos - b.nanos),
  "_-_(duration, duration): duration": (a: Duration, b: Duration) => span(a.nanos - b.nanos),
  "_*_(int, int): int": (a: bigint, b: bigint) => int(a * b),
  "_*_(uint, uint): uint": (a: Uint, b: Uint) => uint(a.value * b.value),
  "_*_(double, double): double": (a: number, b: number) => a * b,
  "_/_(int, int): int": divide,
  "_/_(uint, uint): uint": (a: Uint, b: Uint) => new Uint(divide(a.value, b.value)),
  "_/_(double, double): double": (a: number, b: number) => a / b,
  "_%_(int, int): int": remainder,
  "_%_(uint, uint): uint": (a: Uint, b: Uint) => new Uint(remainder(a.value, b.value)),
  "-_(int): int": (a: bigint) => int(-a),
  "-_(double): double": (a: number) => -a,
  "!_(bool): bool": (a: boolean) => !a,
  "_==_(A, A): bool": equal,
  "_!=_(A, A): bool": (a: Value, b: Value) => !equal(a, b),
  "@in(A, list<A>): bool": (item: Value, list: Value[]) => list.some((one) => equal(one, item)),
  "@in(A, map<A, B>): bool": (key: Value, map: ReadonlyMap<Value, Value>) => lookUp(map, key) !== undefined,
};

const characters = (text: string): bigint => BigInt(Array.from(text).length);

const SIZES: Library = {
  "size(string): int": characters,
  "size(bytes): int": (a: Uint8Array) => BigInt(a.length),
  "size(list<A>): int": (a: Value[]) => BigInt(a.length),
  "size(map<A, B>): int": (a: ReadonlyMap<Value, Value>) => BigInt(a.size),
  "string.size(): int": characters,
  "bytes.size(): int": (a: Uint8Array) => BigInt(a.length),
  "list<A>.size(): int": (a: Value[]) => BigInt(a.length),
  "map<A, B>.size(): int": (a: ReadonlyMap<Value, Value>) => BigInt(a.size),
};

function wholeOf(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 63) return fail("integer overflow");
  return BigInt(Math.trunc(value));
}

function numberOf(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)
    ? Number(text)
    : fail(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function integerOf(text: string): bigint {
  // What is longer is out of range, and would take long to read.
  if (/^[+-]?\d{50,}$/.test(text)) return fail(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return /^[+-]?\d+$/.test(text)
    ? BigInt(text.replace("+", ""))
    : fail(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const BOOLS: Readonly<Record<string, boolean>> = {
  "1": true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  "0": false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

const CONVERSIONS: Library = {
  "dyn(A): dyn": (a: Value) => a,
  "type(A): type": (a: Value) => new TypeValue(typeName(a)),
  "bool(bool): bool": (a: boolean) => a,
  "bool(string): bool": (a: string) =>
    BOOLS[a] ?? fail(`strconv.ParseBool: parsing ${JSON.stringify(a)}: invalid syntax`),
  "int(int): int": (a: bigint) => a,
  "int(uint): int": (a: Uint) => int(a.value),
  "int(double): int": wholeOf,
  "int(string): int": (a: string) => int(integerOf(a)),
  "int(timestamp): int": (a: Timestamp) => a.nanos / 1_000_000_000n,
  "int(duration): int": (a: Duration) => a.nanos,
  "uint(uint): uint": (a: Uint) => a,
  "uint(int): uint": (a: bigint) => uint(a),
  "uint(double): uint": (a: number) => uint(wholeOf(a)),
  "uint(string): uint": (a: string) => uint(integerOf(a)),
  "double(double): double": (a: number) => a,
  "double(int): double": Number,
  "double(uint): double": (a: Uint) => Number(a.value),
  "double(string): double": numberOf,
  "string(string): string": (a: string) => a,
  "string(bool): string": String,
  "string(int): string": String,
  "string(uint): string": (a: Uint) => String(a.value),
  "string(double): string": String,
  "string(bytes): string": (a: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(a),
  "string(timestamp): string": String,
  "string(duration): string": String,
  "bytes(bytes): bytes": (a: Uint8Array) => a,
  "bytes(string): bytes": (a: string) => Buffer.from(a),
  "timestamp(timestamp): timestamp": (a: Timestamp) => a,
  "timestamp(string): timestamp": (a: string) =>
    parseTimestamp(a) ?? fail(`parsing time ${JSON.stringify(a)}: it is no timestamp`),
  "timestamp(int): timestamp": (a: bigint) => time(a * 1_000_000_000n),
  "duration(duration): duration": (a: Duration) => a,
  "duration(string): duration": (a: string) => parseDuration(a) ?? fail(`time: invalid duration ${JSON.stringify(a)}`),
};

/** What a clock shows somewhere: an IANA name, or an offset as `+02:00`. */
function clockAt(stamp: Timestamp, zone = "UTC"): Date {
  const milliseconds = Number(stamp.nanos / 1_000_000n);
  const offset = /^(?<sign>[+-]?)(?<hours>\d\d):(?<minutes>\d\d)$/.exec(zone)?.groups;
  if (offset !== undefined) {
    const minutes = Number(offset["hours"]) * 60 + Number(offset["minutes"]);
    return new Date(milliseconds + (offset["sign"] === "-" ? -minutes : minutes) * 60_000);
  }
  if (zone === "UTC") return new Date(milliseconds);
  try {
    const options = {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    } as const;
    const parts = Object.fromEntries(
      new Intl.DateTimeFormat("en-US", options)
        .formatToParts(milliseconds)
        .map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return new Date(Date.UTC(year, month - 1, day, hour, minute, second, milliseconds % 1000));
  } catch {
    return fail(`unknown time zone ${zone}`);
  }
}

const PARTS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
};

function clocks(): Library {
  const library: Record<string, (...args: never[]) => Value> = {};
  for (const [name, part] of Object.entries(PARTS)) {
    library[`timestamp.${name}(): int`] = (stamp: Timestamp) => BigInt(part(clockAt(stamp)));
    library[`timestamp.${name}(string): int`] = (stamp: Timestamp, zone: string) => BigInt(part(clockAt(stamp, zone)));
  }
  const units = { getHours: 3_600_000_000_000n, getMinutes: 60_000_000_000n, getSeconds: 1_000_000_000n };
  for (const [name, unit] of Object.entries(units))
    library[`duration.${name}(): int`] = (duration: Duration) => duration.nanos / unit;
  library["duration.getMilliseconds(): int"] = (duration: Duration) => (duration.nanos / 1_000_000n) % 1000n;
  return library;
}

const OPTIONALS: Library = {
  "optional.of(A): optional<A>": (a: Value) => new Optional(a),
  "optional.none(): optional<A>": () => new Optional(undefined),
  "optional.ofNonZeroValue(A): optional<A>": (a: Value) => new Optional(isZero(a) ? undefined : a),
  "optional<A>.hasValue(): bool": (a: Optional) => a.value !== undefined,
  "optional<A>.value(): A": (a: Optional) => (a.value === undefined ? fail("optional.none() dereference") : a.value),
  "optional<A>.or(optional<A>): optional<A>": (a: Optional, b: Optional) => (a.value === undefined ? b : a),
  "optional<A>.orValue(A): A": (a: Optional, b: Value) => a.value ?? (a.value === null ? null : b),
};

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === "") return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  return (value instanceof Timestamp || value instanceof Duration) && value.nanos === 0n;
}

/** The language's own functions and operators. */
export const STANDARD: Library = {
  ...orders(),
  ...ARITHMETIC,
  ...SIZES,
  ...CONVERSIONS,
  ...clocks(),
  ...OPTIONALS,
};
