import type { Value } from "../values.ts";

type Cost = (...values: readonly Value[]) => number;

const weights = new WeakMap<object, number>();

/** What a look at all that is in a value costs, in units. */
export function weightOf(value: Value): number {
  if (typeof value === "string") return value.length / 10;
  if (value instanceof Uint8Array) return value.length / 10;
  if (value === null || typeof value !== "object") return 0.1;
  const known = weights.get(value);
  if (known !== undefined) return known;
  let weight = 0.1;
  if (Array.isArray(value)) for (const one of value as readonly Value[]) weight += weightOf(one);
  else if (value instanceof Map) {
    for (const [key, one] of value as ReadonlyMap<Value, Value>) weight += weightOf(key) + weightOf(one);
  } else return weight;
  weights.set(value, weight);
  return weight;
}

const lengthOf = (value: Value | undefined): number =>
  typeof value === "string" || Array.isArray(value) ? value.length : 0;

/** Each place of the one is looked at with the other. */
const product: Cost = (one = null, other = null) => (lengthOf(one) / 10) * Math.max(1, lengthOf(other) / 10);

const matching: Cost = (text = null, pattern = null) => (lengthOf(text) / 10) * Math.max(1, lengthOf(pattern) / 4);

const searching: Cost = (one = null, other = null) =>
  typeof one === "string" ? product(one, other) : weightOf(one) + weightOf(other);

const equating: Cost = (one = null, other = null) => Math.min(weightOf(one), weightOf(other));

/** The longest result counts, which may be out of proportion to what goes in. */
const replacing: Cost = (text = null, old = null, by = null) =>
  product(text, old) + (lengthOf(text) / 10) * (lengthOf(by) / Math.max(1, lengthOf(old)));

const meeting: Cost = (one = null, other = null) => lengthOf(one) * weightOf(other) + lengthOf(other) * weightOf(one);

/**
 * What calls cost beyond the sizes of what goes in and comes out, before they are made: those that take more time than
 * that, or whose result may be larger than there is memory.
 */
export const COSTS: Readonly<Record<string, Cost>> = {
  "_==_": equating,
  "_!=_": equating,
  "@in": (_, holder = null) => weightOf(holder),
  matches: matching,
  find: matching,
  findAll: matching,
  contains: searching,
  indexOf: searching,
  lastIndexOf: searching,
  includes: searching,
  split: product,
  replace: replacing,
  join: (list = null, by = null) => weightOf(list) + (lengthOf(list) * lengthOf(by)) / 10,
  format: (_, values = null) => weightOf(values),
  distinct: (list = null) => (isOfTexts(list) ? weightOf(list) : lengthOf(list) * weightOf(list)),
  "sets.contains": meeting,
  "sets.equivalent": meeting,
  "sets.intersects": meeting,
};

/** Whether equality is that of JavaScript for all items. */
export const isOfTexts = (list: Value): list is readonly string[] =>
  Array.isArray(list) && list.every((one) => typeof one === "string");
