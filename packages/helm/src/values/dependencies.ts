import { type Chart, type Dependency } from "../chart/chart.ts";
import { type Dict, deepCopy, getKey, isDict, putKey } from "../functions/go-values.ts";
import { parseConstraint } from "../version/constraint.ts";
import { parseVersion } from "../version/version.ts";
import { coalesceTables, coalesceValues, valueAt, type Warn } from "./coalesce.ts";

/** The chart as it is used: without the charts that values turn off, with those of other names, and what it imports. */
export function processDependencies(chart: Chart, values: Dict, warn: Warn): Chart {
  return importValues(enable(chart, values, "", warn), warn);
}

function fits(constraint: string, version: string): boolean {
  const found = parseVersion(version);
  if (found === undefined) return false;
  try {
    return parseConstraint(constraint).allows(found);
  } catch {
    // What cannot be compared fits nothing.
    return false;
  }
}

/** A chart under the name that a dependency gives it. */
function renamed(charts: readonly Chart[], { name, version, alias }: Dependency): Chart | undefined {
  const found = charts.find((one) => one.metadata.name === name && fits(version, one.metadata.version));
  if (found === undefined || alias === "") return found;
  return { ...found, metadata: { ...found.metadata, name: alias, raw: { ...found.metadata.raw, name: alias } } };
}

function enable(chart: Chart, values: Dict, path: string, warn: Warn): Chart {
  const wanted = chart.metadata.dependencies;
  if (wanted.length === 0) return chart;
  const unnamed = chart.dependencies.filter(
    ({ metadata }) => !wanted.some(({ name, version }) => name === metadata.name && fits(version, metadata.version)),
  );
  const named = wanted.map((one) => renamed(chart.dependencies, one)).filter((one) => one !== undefined);
  const all = { ...chart, dependencies: [...unnamed, ...named] };
  const merged = coalesceValues(all, values, warn);
  const left = new Set(
    wanted.filter((one) => !isEnabled(one, merged, path, warn)).map(({ name, alias }) => alias || name),
  );
  const dependencies = all.dependencies
    .filter(({ metadata }) => !left.has(metadata.name))
    .map((child) => enable(child, merged, `${path}${child.metadata.name}.`, warn));
  const remaining = wanted.filter(({ name, alias }) => !left.has(alias || name));
  return { ...all, dependencies, metadata: { ...chart.metadata, dependencies: remaining } };
}

function isEnabled({ tags, condition, name }: Dependency, values: Dict, path: string, warn: Warn): boolean {
  for (const one of condition.trim().split(",")) {
    const at = one.trim();
    if (at === "") continue;
    const value = valueAt(values, path + at);
    if (typeof value === "boolean") return value;
    if (value !== undefined) warn(`returned non-bool value for condition path ${at} of chart ${name}`);
  }
  const set = getKey(values, "tags");
  if (!isDict(set)) return true;
  const states = tags.map((tag) => getKey(set, tag)).filter((value) => typeof value === "boolean");
  return states.includes(true) || !states.includes(false);
}

function importValues(given: Chart, warn: Warn): Chart {
  const chart = { ...given, dependencies: given.dependencies.map((child) => importValues(child, warn)) };
  if (!chart.metadata.dependencies.some((one) => one.importValues.length > 0)) return chart;
  const own = coalesceValues(chart, {}, warn, true);
  const imported: Dict = {};
  for (const dependency of chart.metadata.dependencies) {
    const name = dependency.alias || dependency.name;
    for (const wanted of dependency.importValues) {
      const { child, parent } = importOf(wanted);
      const found = valueAt(own, `${name}.${child}`);
      if (isDict(found)) coalesceTables(imported, under(parent, deepCopy(found) as Dict), "", warn, true);
      else warn(`ImportValues missing table from chart ${name}: ${JSON.stringify(child)} is not a table`);
    }
  }
  return { ...chart, values: coalesceTables(own, imported, "", warn, true) };
}

/** A text names what a chart exports; a map says from where to where. */
function importOf(wanted: unknown): { readonly child: string; readonly parent: string } {
  if (!isDict(wanted)) return { child: `exports.${String(wanted)}`, parent: "." };
  return { child: String(getKey(wanted, "child")), parent: String(getKey(wanted, "parent")) };
}

function under(path: string, values: Dict): Dict {
  if (path === "." || path === "") return values;
  return path.split(".").reduceRight<Dict>((inner, key) => {
    const outer: Dict = {};
    putKey(outer, key, inner);
    return outer;
  }, values);
}
