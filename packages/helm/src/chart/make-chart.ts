import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { type Dict, isDict } from "../functions/go-values.ts";
import { readYaml } from "../functions/yaml.ts";
import type { Chart, ChartFile } from "./chart.ts";
import { readDependencies, readMetadata, validateMetadata } from "./metadata.ts";

/** Charts in charts in charts: deeper ones are refused. */
const DEEPEST = 20;

function yamlMap(file: ChartFile | undefined, chart: string): Dict | undefined {
  if (file === undefined) return undefined;
  const value = readYaml(file.data.toString("utf8").replace(/^\ufeff/, ""), {
    name: `${chart}/${file.name}`,
    unique: true,
  });
  if (value === null) return {};
  if (isDict(value)) return value;
  throw new InvalidArgument(`cannot load ${file.name}: it holds no map`);
}

/**
 * Makes a chart of its files.
 *
 * @param unpack reads an archive of a chart that stands in `charts/`
 * @throws InvalidArgument for what is no chart
 */
export async function makeChart(
  files: readonly ChartFile[],
  unpack: (archive: Buffer) => Promise<readonly ChartFile[]>,
  depth = 0,
): Promise<Chart> {
  if (depth > DEEPEST) throw new InvalidArgument(`charts are nested more than ${DEEPEST} deep`);
  const find = (name: string): ChartFile | undefined => files.find((file) => file.name === name);
  const raw = yamlMap(find("Chart.yaml"), ".");
  if (raw === undefined) throw new InvalidArgument("Chart.yaml file is missing");
  let metadata = readMetadata(raw);
  const isFirst = metadata.apiVersion === "v1";
  if (!["v1", "v2"].includes(metadata.apiVersion)) {
    throw new Unsupported(`apiVersion ${JSON.stringify(metadata.apiVersion)} of charts is not supported`);
  }
  const requirements = isFirst ? yamlMap(find("requirements.yaml"), metadata.name) : undefined;
  if (requirements !== undefined) metadata = { ...metadata, dependencies: readDependencies(requirements) };
  validateMetadata(metadata);
  const lock =
    yamlMap(find("Chart.lock"), metadata.name) ??
    (isFirst ? yamlMap(find("requirements.lock"), metadata.name) : undefined);
  const own = files.filter(({ name }) => !name.startsWith("charts/"));
  return {
    metadata,
    values: yamlMap(find("values.yaml"), metadata.name) ?? {},
    schema: find("values.schema.json")?.data,
    templates: own.filter(({ name }) => name.startsWith("templates/")),
    files: own.filter(({ name }) => !name.startsWith("templates/") && !isOwn(name, isFirst)),
    dependencies: await subcharts(files, unpack, depth),
    lock,
    raw: own,
  };
}

const OWN = new Set(["Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json"]);

/** Files with a meaning of their own, which templates do not see. */
const isOwn = (name: string, isFirst: boolean): boolean =>
  OWN.has(name) || (isFirst && (name === "requirements.yaml" || name === "requirements.lock"));

async function subcharts(
  files: readonly ChartFile[],
  unpack: (archive: Buffer) => Promise<readonly ChartFile[]>,
  depth: number,
): Promise<readonly Chart[]> {
  const groups = new Map<string, ChartFile[]>();
  for (const { name, data } of files) {
    if (!name.startsWith("charts/") || name.endsWith(".prov")) continue;
    const [group = "", ...rest] = name.slice("charts/".length).split("/");
    // Names that begin so are put aside by their owners.
    if (/^[_.]/.test(group)) continue;
    const below = groups.get(group) ?? [];
    groups.set(group, below);
    if (group.endsWith(".tgz") && rest.length === 0) below.push(...(await unpack(data)));
    else if (rest.length > 0) below.push({ name: rest.join("/"), data });
  }
  const charts: Chart[] = [];
  for (const [group, below] of groups) {
    if (below.length === 0) continue;
    try {
      charts.push(await makeChart(below, unpack, depth + 1));
    } catch (error) {
      if (!(error instanceof InvalidArgument)) throw error;
      throw new InvalidArgument(`charts/${group}: ${error.message}`, { cause: error });
    }
  }
  return charts;
}
