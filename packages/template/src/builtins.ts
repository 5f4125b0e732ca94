import { equalAny, less, lessOrEqual } from "./compare.ts";
import { escapeHtml, escapeJs, escapeUrlQuery } from "./escape.ts";
import { sprint, sprintf, sprintln } from "./format.ts";
import {
  canBeNil,
  type GoFunc,
  type GoType,
  isSigned,
  isUnsigned,
  reflectType,
  stringType,
  uint8Type,
} from "./types.ts";
import {
  indirect,
  inPlace,
  intOf,
  isAssignable,
  isTrue,
  lengthOf,
  type MaybeValue,
  mapEntry,
  stripInterface,
  textOf,
  Value,
  zeroOf,
} from "./value.ts";

/** Go's `index` and `slice` position: an integer from 0 to `limit`. */
function position(index: MaybeValue, limit: number): number {
  if (index === undefined) throw new Error("cannot index slice/array with nil");
  const { kind, name } = index.type;
  if (!isSigned(kind) && !isUnsigned(kind)) throw new Error(`cannot index slice/array with type ${name}`);
  const at = intOf(index);
  if (at < 0n || at > BigInt(limit)) throw new Error(`index out of range: ${at}`);
  return Number(at);
}

/** Fits an argument that was computed to a parameter's type; integers of all widths convert. */
export function prepareArgument(value: MaybeValue, type: GoType): MaybeValue {
  if (value === undefined) {
    if (!canBeNil(type)) throw new Error(`value is nil; should be of type ${type.name}`);
    return type.kind === "interface" ? undefined : zeroOf(type);
  }
  if (type === reflectType || isAssignable(value.type, type)) return value;
  const whole = (kind: GoType["kind"]) => isSigned(kind) || isUnsigned(kind);
  if (whole(value.type.kind) && whole(type.kind)) return new Value(type, intOf(value));
  throw new Error(`value has type ${value.type.name}; should be ${type.name}`);
}

function elementAt(item: Value, index: MaybeValue): Value {
  const length = lengthOf(item) ?? 0;
  const at = position(index, length);
  // Go's reflection panics at the length itself, with a text of its own for each kind.
  if (at === length) throw new Error(`reflect: ${item.type.kind} index out of range`);
  if (item.type.kind === "slice") return inPlace(item.type.elem, (item.raw as ArrayLike<unknown>)[at]);
  return new Value(uint8Type, Buffer.from(textOf(item))[at]);
}

function indexOnce(container: MaybeValue, index: MaybeValue): Value {
  const { value: item, nil } = indirect(container);
  if (nil || item === undefined) throw new Error("index of nil pointer");
  switch (item.type.kind) {
    case "slice":
    case "string":
      return elementAt(item, index);
    case "map": {
      const key = prepareArgument(index, item.type.key);
      return (key === undefined ? undefined : mapEntry(item, key)) ?? zeroOf(item.type.elem);
    }
    default:
      throw new Error(`can't index item of type ${item.type.name}`);
  }
}

function indexValue(item: MaybeValue, ...indexes: MaybeValue[]): MaybeValue {
  let current = stripInterface(item);
  if (current === undefined) throw new Error("index of untyped nil");
  for (const at of indexes) current = indexOnce(current, stripInterface(at));
  return current;
}

function sliceValue(container: MaybeValue, ...indexes: MaybeValue[]): MaybeValue {
  if (stripInterface(container) === undefined) throw new Error("slice of untyped nil");
  const { value: item, nil } = indirect(container);
  if (nil || item === undefined) throw new Error("slice of nil pointer");
  if (indexes.length > 3) throw new Error(`too many slice indexes: ${indexes.length}`);
  const { kind } = item.type;
  if (kind !== "string" && kind !== "slice") throw new Error(`can't slice item of type ${item.type.name}`);
  if (kind === "string" && indexes.length === 3) throw new Error("cannot 3-index slice a string");
  const length = lengthOf(item) ?? 0;
  const [from = 0, to = length, cap = length] = indexes.map((at) => position(at, length));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (to > cap) throw new Error(`invalid slice index: ${to} > ${cap}`);
  if (kind === "string") return new Value(item.type, Buffer.from(textOf(item)).subarray(from, to).toString());
  const raw = item.raw instanceof Uint8Array || Array.isArray(item.raw) ? item.raw.slice(from, to) : [];
  return new Value(item.type, raw);
}

function lengthValue(container: MaybeValue): bigint {
  const { value: item, nil } = indirect(container);
  if (nil) throw new Error("len of nil pointer");
  if (item === undefined) throw new Error("reflect: call of reflect.Value.Type on zero Value");
  const count = lengthOf(item);
  if (count === undefined) throw new Error(`len of type ${item.type.name}`);
  return BigInt(count);
}

/** What `print` shows of a value: nothing at all as `<no value>`, pointers as what they point to. */
export function printable(value: MaybeValue): Value {
  const shown = value?.type.kind === "pointer" ? indirect(value).value : value;
  return shown ?? new Value(stringType, "<no value>");
}

function printAll(values: readonly MaybeValue[]): string {
  const [only] = values;
  if (values.length === 1 && only?.type.name === "string") return textOf(only);
  return sprint(values.map((value) => printable(stripInterface(value))));
}

const strip = (values: readonly MaybeValue[]): MaybeValue[] => values.map(stripInterface);

type Variadic = (...values: MaybeValue[]) => unknown;

const variadic = (call: Variadic): GoFunc => ({ params: [], variadic: reflectType, call });
const fixed = (count: 1 | 2, call: Variadic): GoFunc => ({
  params: count === 1 ? [reflectType] : [reflectType, reflectType],
  call,
});

/** `and`, `or` and `call` are here for their signatures; the executor evaluates them itself. */
export const builtins: Readonly<Record<string, GoFunc>> = {
  and: { params: [reflectType], variadic: reflectType, call: (value: MaybeValue) => value },
  or: { params: [reflectType], variadic: reflectType, call: (value: MaybeValue) => value },
  call: { params: [reflectType], variadic: reflectType, call: (value: MaybeValue) => value },
  not: fixed(1, (value) => !isTrue(stripInterface(value))),
  len: fixed(1, lengthValue),
  index: { params: [reflectType], variadic: reflectType, call: indexValue },
  slice: { params: [reflectType], variadic: reflectType, call: sliceValue },
  print: variadic((...values) => sprint(strip(values))),
  println: variadic((...values) => sprintln(strip(values))),
  printf: {
    params: [stringType],
    variadic: reflectType,
    call: (format: string, ...values: MaybeValue[]) => sprintf(format, strip(values)),
  },
  html: variadic((...values) => escapeHtml(printAll(values))),
  js: variadic((...values) => escapeJs(printAll(values))),
  urlquery: variadic((...values) => escapeUrlQuery(printAll(values))),
  eq: {
    params: [reflectType],
    variadic: reflectType,
    call: (first: MaybeValue, ...others: MaybeValue[]) => equalAny(first, others),
  },
  ne: fixed(2, (a, b) => !equalAny(a, [b])),
  lt: fixed(2, less),
  le: fixed(2, lessOrEqual),
  gt: fixed(2, (a, b) => !lessOrEqual(a, b)),
  ge: fixed(2, (a, b) => !less(a, b)),
};
