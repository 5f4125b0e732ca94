import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { parseFlags } from "@boxship/base/parse-flags";
import { Value } from "@boxship/template";
import { tempDir } from "@boxship/testkit";
import { loadChart } from "../chart/load-chart.ts";
import { clusterFlags } from "../cluster-flags.ts";
import { command } from "../commands/template.ts";
import { render } from "../engine/render.ts";
import { valuesOf } from "../flag-values.ts";
import type { Dict } from "../functions/go-values.ts";
import { givenCapabilities } from "../render-flags.ts";
import { coalesceValues } from "../values/coalesce.ts";
import { processDependencies } from "../values/dependencies.ts";
import { type ChartCase, readCase, writeFiles } from "./chart-cases.ts";

/** A chart with values, as the program in Go reads it. */
export interface ChartInput {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly values: unknown;
  readonly release: { readonly name: string; readonly namespace: string; readonly isUpgrade: boolean };
  readonly kubeVersion: string;
  readonly apiVersions: readonly string[];
}

/** What came of it: texts by template, or a failure. */
export interface Rendered {
  readonly name: string;
  readonly rendered?: Readonly<Record<string, string>>;
  readonly error?: string;
}

/** Cases whose failure is no template's: the program in Go does not look for such. */
const NOT_RENDERED = new Set([
  "error-duplicate-key",
  "error-kube-version",
  "error-library",
  "error-missing-dependency",
  "error-nested-values",
  "error-no-chart",
  "error-set",
  "error-show-only",
  "error-version",
  "error-yaml",
  "schema-2020-12",
  "schema-draft-7",
  "helmignore",
]);

const FOLDER = join(import.meta.dirname, "../testdata/charts");
export const RECORDED = join(import.meta.dirname, "../testdata/rendered.jsonl");

/** The cases of `testdata/charts` that are rendered, by name. */
export function renderedCases(): ReadonlyMap<string, ChartCase> {
  const all = new Map<string, ChartCase>();
  for (const file of readdirSync(FOLDER).sort()) {
    const name = file.replace(/\.txt$/, "");
    const one = readCase(readFileSync(join(FOLDER, file), "utf8"));
    if (one.args[0] === "template" && !NOT_RENDERED.has(name)) all.set(name, one);
  }
  return all;
}

async function opened<T>(
  { args, files }: ChartCase,
  work: (folder: string, values: Dict, flags: ReturnType<typeof parse>) => Promise<T>,
): Promise<T> {
  await using home = tempDir("helm");
  writeFiles(home.path, files);
  const parsed = parse(args.slice(1).map((word) => (word === "more.yaml" ? home.join(word) : word)));
  const sink = { write: () => undefined };
  const io = { stdin: Readable.from([]), stdout: sink, stderr: sink, env: {} };
  return await work(home.path, await valuesOf(parsed.values, io), parsed);
}

const parse = (words: readonly string[]) => parseFlags({ ...clusterFlags, ...command.flags }, words);

/** JSON has one kind of number: integers of the command line say what they are. */
function marked(value: unknown): unknown {
  const { raw, type } = value instanceof Value ? value : { raw: undefined, type: undefined };
  if (type !== undefined) return { [`$${type.name}`]: String(raw) };
  if (Array.isArray(value)) return value.map(marked);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, marked(one)]));
}

const releaseOf = ({ values, operands }: ReturnType<typeof parse>) => ({
  name: operands.length === 1 ? "release-name" : (operands[0] ?? ""),
  namespace: values.namespace || "default",
  isUpgrade: values["is-upgrade"],
});

export async function chartInput(name: string, one: ChartCase): Promise<ChartInput> {
  return await opened(one, async (_folder, values, flags) => ({
    name,
    files: Object.fromEntries(one.files),
    values: marked(values),
    release: releaseOf(flags),
    ...givenCapabilities(flags.values),
  }));
}

/** Renders a chart here, before anything is sorted or left out. */
export async function renderCase(name: string, one: ChartCase): Promise<Rendered> {
  return await opened(one, async (folder, values, flags) => {
    const quiet = (): void => undefined;
    try {
      const chart = processDependencies(await loadChart(folder), values, quiet);
      const texts = render(chart, coalesceValues(chart, values, quiet), {
        release: { ...releaseOf(flags), revision: 1 },
        capabilities: givenCapabilities(flags.values),
      });
      return { name, rendered: Object.fromEntries(texts) };
    } catch (error) {
      return { name, error: (error as Error).message };
    }
  });
}
