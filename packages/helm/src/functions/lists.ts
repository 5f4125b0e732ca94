import { compareText } from "@boxship/base";
import {
  anySliceType,
  anyType,
  intType,
  sliceOf,
  stringSliceType,
  type TemplateFunction,
  typed,
  Value,
  valueOf,
} from "@boxship/template";
import { boundItems, deepEqual, define, isEmpty, itemsOf, kindOf, needItems, textOf, toInteger } from "./go-values.ts";
import { textsOf } from "./strings.ts";

const NIL_LIST = typed(anySliceType, null);

const has = (items: readonly unknown[], wanted: unknown): boolean => items.some((item) => deepEqual(wanted, item));

function unique(value: unknown, what: string): unknown[] {
  const found: unknown[] = [];
  const scalars = new Set<string>();
  for (const item of needItems(value, what)) {
    // Most lists hold texts: those need no comparison of each with each.
    if (typeof item === "string") {
      if (scalars.has(item)) continue;
      scalars.add(item);
    } else if (has(found, item)) continue;
    found.push(item);
  }
  return found;
}

function chunk(size: bigint, list: unknown): Value {
  const items = needItems(list, "Cannot chunk");
  const width = Number(size);
  if (width < 1) throw new Error("runtime error: makeslice: len out of range");
  const chunks: unknown[] = [];
  for (let at = 0; at < items.length; at += width) chunks.push(items.slice(at, at + width));
  return typed(sliceOf(anySliceType), chunks);
}

function slice(list: unknown, ...bounds: unknown[]): unknown {
  const items = itemsOf(list);
  if (items === undefined) {
    if (valueOf(list) !== undefined) throw new Error(`list should be type of slice or array but ${kindOf(list)}`);
    needItems(list, "");
    return undefined;
  }
  if (items.length === 0) return undefined;
  const from = bounds.length > 0 ? Number(toInteger(bounds[0])) : 0;
  const to = bounds.length > 1 ? Number(toInteger(bounds[1])) : items.length;
  if (from < 0 || from > to || to > items.length) throw new Error("reflect.Value.Slice: slice index out of bounds");
  const part = items.slice(from, to);
  const type = valueOf(list)?.type;
  return type === undefined || type === anySliceType ? part : typed(type, part);
}

function concat(...lists: unknown[]): unknown {
  const all: unknown[] = [];
  for (const list of lists) {
    const items = itemsOf(list);
    if (items === undefined) {
      if (valueOf(list) === undefined) needItems(list, "");
      throw new Error(`Cannot concat type ${valueOf(list)?.type.kind ?? "invalid"} as list`);
    }
    boundItems(all.length + items.length);
    for (const item of items) all.push(item);
  }
  return all.length === 0 ? NIL_LIST : all;
}

const push = define([anyType, anyType], (list: unknown, item: unknown) => [
  ...needItems(list, "Cannot push on"),
  item ?? null,
]);
const prepend = define([anyType, anyType], (list: unknown, item: unknown) => [
  item ?? null,
  ...needItems(list, "Cannot prepend on"),
]);
const first = define([anyType], (list: unknown) => needItems(list, "Cannot find first on")[0]);
const last = define([anyType], (list: unknown) => needItems(list, "Cannot find last on").at(-1));
const rest = define([anyType], (list: unknown) => {
  const items = needItems(list, "Cannot find rest on");
  return items.length === 0 ? NIL_LIST : items.slice(1);
});
const initial = define([anyType], (list: unknown) => {
  const items = needItems(list, "Cannot find initial on");
  return items.length === 0 ? NIL_LIST : items.slice(0, -1);
});
const reverse = define([anyType], (list: unknown) => needItems(list, "Cannot find reverse on").toReversed());
const uniq = define([anyType], (list: unknown) => unique(list, "Cannot find uniq on"));
const compact = define([anyType], (list: unknown) =>
  needItems(list, "Cannot compact on").filter((item) => !isEmpty(item)),
);
const without = define(
  [anyType],
  (list: unknown, ...omitted: unknown[]) =>
    needItems(list, "Cannot find without on").filter((item) => !has(omitted, item)),
  anyType,
);
const hasItem = define([anyType, anyType], (wanted: unknown, list: unknown) =>
  valueOf(list) === undefined ? false : has(needItems(list, "Cannot find has on"), wanted),
);
const sliced = define([anyType], slice, anyType);
const chunked = define([intType, anyType], chunk);
const list = define([], (...items: unknown[]) => items.map((item) => item ?? null), anyType);

/** Sprig's functions of lists. Lists are never changed: what a function gives is a new one. */
export const listFunctions: Readonly<Record<string, TemplateFunction>> = {
  list,
  tuple: list,
  append: push,
  push,
  mustAppend: push,
  mustPush: push,
  prepend,
  mustPrepend: prepend,
  first,
  mustFirst: first,
  last,
  mustLast: last,
  rest,
  mustRest: rest,
  initial,
  mustInitial: initial,
  reverse,
  mustReverse: reverse,
  uniq,
  mustUniq: uniq,
  compact,
  mustCompact: compact,
  without,
  mustWithout: without,
  has: hasItem,
  mustHas: hasItem,
  slice: sliced,
  mustSlice: sliced,
  chunk: chunked,
  mustChunk: chunked,
  concat: define([], concat, anyType),
  sortAlpha: define([anyType], (value: unknown) => {
    const texts = itemsOf(value) === undefined ? [textOf(value)] : [...textsOf(value)].sort(compareText);
    return typed(stringSliceType, texts);
  }),
};
