import {
  anyMapType,
  anyType,
  boolType,
  isGoNil,
  stringSliceType,
  stringType,
  type TemplateFunction,
  typed,
  valueOf,
} from "@boxship/template";
import {
  type Dict,
  deepCopy,
  deepEqual,
  define,
  getKey,
  isDict,
  isEmpty,
  kindOf,
  putKey,
  textOf,
  typeOf,
} from "./go-values.ts";

function dict(...pairs: unknown[]): Dict {
  const result: Dict = {};
  for (let at = 0; at < pairs.length; at += 2) {
    putKey(result, textOf(pairs[at]), at + 1 < pairs.length ? (pairs[at + 1] ?? null) : "");
  }
  return result;
}

/** A map to be changed: nil ones cannot be. */
function changeable(value: Dict): Dict {
  if (!isDict(value)) throw new Error("assignment to entry in nil map");
  return value;
}

/** @param overwrite whether what the source has wins; otherwise only what is empty is filled */
function mergeInto(target: Dict, source: Dict, overwrite: boolean): void {
  for (const key of Object.keys(source)) {
    const given = source[key];
    const there = getKey(target, key);
    if (isDict(given) && isDict(there)) mergeInto(there, given, overwrite);
    else if (!Object.hasOwn(target, key)) putKey(target, key, given);
    // A map never takes the place of something else that is set.
    else if (isEmpty(there) ? !isEmpty(given) || overwrite : overwrite && !isDict(given)) putKey(target, key, given);
  }
}

const merging = (overwrite: boolean): TemplateFunction =>
  define(
    [anyMapType],
    (target: Dict, ...sources: readonly Dict[]) => {
      for (const source of sources) if (isDict(source)) mergeInto(changeable(target), source, overwrite);
      return target;
    },
    anyMapType,
  );

function only(source: Dict, keep: (key: string) => boolean): Dict {
  const result: Dict = {};
  for (const key of keysOf(source)) if (keep(key)) putKey(result, key, source[key]);
  return result;
}

const keysOf = (value: Dict): string[] => (isDict(value) ? Object.keys(value) : []);

function dig(...words: unknown[]): unknown {
  if (words.length < 3) throw new Error("dig needs at least three arguments");
  let current = words.at(-1);
  for (const key of words.slice(0, -2)) {
    if (typeof key !== "string") {
      throw new Error(`interface conversion: interface {} is ${typeOf(key).replace("<nil>", "nil")}, not string`);
    }
    if (!isDict(current)) {
      const type = typeOf(current).replace("<nil>", "nil");
      throw new Error(`interface conversion: interface {} is ${type}, not map[string]interface {}`);
    }
    if (!Object.hasOwn(current, key)) return words.at(-2);
    current = current[key];
  }
  return current;
}

const deepCopied = define([anyType], (value: unknown) => deepCopy(value));

/** Sprig's functions of maps. `set`, `unset` and `merge` change the map that they are given, as sprig's do. */
export const dictFunctions: Readonly<Record<string, TemplateFunction>> = {
  dict: define([], dict, anyType),
  get: define([anyMapType, stringType], (source: Dict, key: string) =>
    isDict(source) && Object.hasOwn(source, key) ? source[key] : "",
  ),
  set: define([anyMapType, stringType, anyType], (target: Dict, key: string, value: unknown) => {
    putKey(changeable(target), key, value ?? null);
    return target;
  }),
  unset: define([anyMapType, stringType], (target: Dict, key: string) => {
    if (isDict(target)) delete target[key];
    return target;
  }),
  hasKey: define([anyMapType, stringType], (source: Dict, key: string) => isDict(source) && Object.hasOwn(source, key)),
  pluck: define(
    [stringType],
    (key: string, ...sources: readonly Dict[]) =>
      sources.filter((source) => isDict(source) && Object.hasOwn(source, key)).map((source) => source[key]),
    anyMapType,
  ),
  keys: define([], (...sources: readonly Dict[]) => typed(stringSliceType, sources.flatMap(keysOf)), anyMapType),
  values: define([anyMapType], (source: Dict) => keysOf(source).map((key) => source[key])),
  pick: define(
    [anyMapType],
    (source: Dict, ...keys: readonly string[]) => {
      const kept = new Set(keys);
      return only(source, (key) => kept.has(key));
    },
    stringType,
  ),
  omit: define(
    [anyMapType],
    (source: Dict, ...keys: readonly string[]) => {
      const left = new Set(keys);
      return only(source, (key) => !left.has(key));
    },
    stringType,
  ),
  merge: merging(false),
  mustMerge: merging(false),
  mergeOverwrite: merging(true),
  mustMergeOverwrite: merging(true),
  deepCopy: deepCopied,
  mustDeepCopy: deepCopied,
  dig: define([], dig, anyType),
};

const isNothing = (value: unknown): boolean => {
  const whole = valueOf(value);
  return whole === undefined || (whole.type.kind === "interface" && isGoNil(whole));
};

/** Sprig's functions of choice and of types. */
export const choiceFunctions: Readonly<Record<string, TemplateFunction>> = {
  default: define(
    [anyType],
    (fallback: unknown, ...given: unknown[]) => (given.length === 0 || isEmpty(given[0]) ? fallback : given[0]),
    anyType,
  ),
  empty: define([anyType], isEmpty),
  coalesce: define([], (...values: unknown[]) => values.find((value) => !isEmpty(value)), anyType),
  all: define([], (...values: unknown[]) => values.every((value) => !isEmpty(value)), anyType),
  any: define([], (...values: unknown[]) => values.some((value) => !isEmpty(value)), anyType),
  ternary: define([anyType, anyType, boolType], (yes: unknown, no: unknown, which: boolean) => (which ? yes : no)),
  typeOf: define([anyType], typeOf),
  typeIs: define([stringType, anyType], (name: string, value: unknown) => typeOf(value) === name),
  typeIsLike: define([stringType, anyType], (name: string, value: unknown) =>
    [name, `*${name}`].includes(typeOf(value)),
  ),
  kindOf: define([anyType], kindOf),
  kindIs: define([stringType, anyType], (name: string, value: unknown) => kindOf(value) === name),
  deepEqual: define([anyType, anyType], (a: unknown, b: unknown) =>
    isNothing(a) || isNothing(b) ? isNothing(a) && isNothing(b) : deepEqual(a, b),
  ),
  fail: define([stringType], (message: string) => {
    throw new Error(message);
  }),
};
