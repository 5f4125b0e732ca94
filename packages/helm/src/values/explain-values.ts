import { sprint, valueOf } from "@boxship/template";
import type { Chart } from "../chart/chart.ts";
import { type Dict, getKey, isDict } from "../functions/go-values.ts";
import { valueAt } from "./coalesce.ts";

/** Somewhere that values come from; later ones win. */
export interface ValueSource {
  /** A file, or `--set`. */
  readonly name: string;
  readonly values: Dict;
}

export interface ExplainedValue {
  readonly path: string;
  readonly value: string;
  /** Where it is set, the one that holds last. */
  readonly setBy: readonly string[];
  /** Lines of templates that name it: `templates/a.yaml:3`. */
  readonly usedBy: readonly string[];
}

/** Where each value is set, and where it is used. */
export function explainValues(chart: Chart, merged: Dict, sources: readonly ValueSource[]): readonly ExplainedValue[] {
  const all: readonly ValueSource[] = [
    { name: `${chart.metadata.name}/values.yaml`, values: chart.values },
    ...sources,
  ];
  const uses = usesOf(chart, "");
  return leaves(merged, "").map(({ path, value }) => ({
    path,
    value: value === null ? "null" : sprint([valueOf(value)]),
    setBy: [
      ...subchartsOf(chart, path),
      ...all.filter(({ values }) => valueAt(values, path) !== undefined).map(({ name }) => name),
    ],
    usedBy: uses.filter((use) => use.path === path || path.startsWith(`${use.path}.`)).map(({ place }) => place),
  }));
}

/** A value below a chart's name may be that chart's own default. */
function subchartsOf(chart: Chart, path: string): readonly string[] {
  const [first = "", ...rest] = path.split(".");
  const child = chart.dependencies.find(({ metadata }) => metadata.name === first);
  if (child === undefined || rest.length === 0) return [];
  const below = rest.join(".");
  const own = valueAt(child.values, below) === undefined ? [] : [`${chart.metadata.name}/charts/${first}/values.yaml`];
  return [...subchartsOf(child, below), ...own];
}

function leaves(values: Dict, above: string): readonly { readonly path: string; readonly value: unknown }[] {
  return Object.keys(values)
    .sort()
    .flatMap((key) => {
      const path = above === "" ? key : `${above}.${key}`;
      const value = getKey(values, key);
      if (isDict(value) && Object.keys(value).length > 0) return leaves(value, path);
      return [{ path, value }];
    });
}

interface Use {
  readonly path: string;
  readonly place: string;
}

function usesOf(chart: Chart, prefix: string): readonly Use[] {
  const uses: Use[] = [];
  for (const { name, data } of chart.templates) {
    for (const [at, line] of data.toString("utf8").split("\n").entries()) {
      for (const [, path = ""] of line.matchAll(/\.Values\.([\w.]*\w)/g)) {
        uses.push({
          path: path.startsWith("global.") ? path : prefix + path,
          place: `${prefix.replace(/\.$/, "")}${prefix === "" ? "" : "/"}${name}:${at + 1}`,
        });
      }
    }
  }
  return [...uses, ...chart.dependencies.flatMap((child) => usesOf(child, `${prefix}${child.metadata.name}.`))];
}
