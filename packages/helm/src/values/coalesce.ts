import { InvalidArgument } from "@boxship/base/errors";
import type { Chart } from "../chart/chart.ts";
import { type Dict, deepCopy, getKey, isDict, putKey, typeOf } from "../functions/go-values.ts";

/** Told of values that do not fit together. */
export type Warn = (text: string) => void;

const has = (dict: Dict, key: string): boolean => Object.hasOwn(dict, key);

/**
 * Values with the chart's defaults below them, and those of charts in it; a null takes a default away. What is given
 * stays as it is.
 *
 * @param keepNulls for values that will be merged again
 * @throws InvalidArgument where a chart's name has a value that is no map
 */
export function coalesceValues(chart: Chart, given: Dict, warn: Warn, keepNulls = false): Dict {
  const values = deepCopy(given) as Dict;
  coalesceChart(chart, values, "", warn, keepNulls);
  return values;
}

function coalesceChart(chart: Chart, values: Dict, above: string, warn: Warn, keepNulls: boolean): void {
  const path = above === "" ? chart.metadata.name : `${above}.${chart.metadata.name}`;
  coalesceDefaults(chart.values, values, path, warn, keepNulls);
  for (const child of chart.dependencies) {
    const { name } = child.metadata;
    const below = has(values, name) ? values[name] : {};
    if (!isDict(below)) {
      throw new InvalidArgument(`type mismatch on ${name}: values of the chart must be a map, not ${typeOf(below)}`);
    }
    putKey(values, name, below);
    passGlobals(below, values, path, warn, keepNulls);
    coalesceChart(child, below, path, warn, keepNulls);
  }
}

function coalesceDefaults(defaults: Dict, values: Dict, path: string, warn: Warn, keepNulls: boolean): void {
  for (const key of Object.keys(defaults)) {
    const fallback = defaults[key];
    if (!has(values, key)) putKey(values, key, deepCopy(fallback));
    else {
      const value = values[key];
      if (value === null && !keepNulls) delete values[key];
      else if (isDict(value)) {
        if (isDict(fallback)) coalesceTables(value, deepCopy(fallback) as Dict, `${path}.${key}`, warn, keepNulls);
        else if (fallback !== null) warn(`skipped value for ${path}.${key}: Not a table.`);
      }
    }
  }
}

/** Fills a map with what another has; what is there wins. */
export function coalesceTables(target: Dict, source: Dict, path: string, warn: Warn, keepNulls = false): Dict {
  for (const key of Object.keys(source)) {
    const given = source[key];
    const name = path === "" ? key : `${path}.${key}`;
    if (!has(target, key)) {
      putKey(target, key, given);
      continue;
    }
    const there = target[key];
    if (there === null && !keepNulls) delete target[key];
    else if (isDict(given)) {
      if (isDict(there)) coalesceTables(there, given, name, warn, keepNulls);
      else if (there !== null) warn(`cannot overwrite table with non table for ${name} (${typeOf(given)})`);
    } else if (isDict(there) && given !== null) {
      warn(`destination for ${name} is a table. Ignoring non-table value (${typeOf(given)})`);
    }
  }
  return target;
}

/** Globals go down: a chart's are seen by all that are in it. */
function passGlobals(target: Dict, source: Dict, path: string, warn: Warn, keepNulls: boolean): void {
  const globals = (values: Dict, whose: string): Dict | undefined => {
    const value = getKey(values, "global") ?? {};
    if (isDict(value)) return value;
    warn(`skipping globals because ${whose} global is not a table.`);
    return undefined;
  };
  const own = globals(target, "destination");
  const from = globals(source, "source");
  if (own === undefined || from === undefined) return;
  for (const key of Object.keys(from)) {
    const value = from[key];
    const there = getKey(own, key);
    if (isDict(value)) {
      const copy = deepCopy(value) as Dict;
      if (there === undefined) putKey(own, key, copy);
      else if (isDict(there)) putKey(own, key, coalesceTables(copy, there, `${path}.global.${key}`, warn, keepNulls));
      else warn(`conflict: cannot merge map onto non-map for ${key}. Skipping.`);
    } else if (isDict(there)) warn(`key ${key} is table. Skipping`);
    else putKey(own, key, value);
  }
  putKey(target, "global", own);
}

/** A value by its path; undefined where there is none. */
export function valueAt(values: Dict, path: string): unknown {
  let current: unknown = values;
  for (const key of path.split(".")) {
    if (!isDict(current)) return undefined;
    current = getKey(current, key);
  }
  return current;
}
