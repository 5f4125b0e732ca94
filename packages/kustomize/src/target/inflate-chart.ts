import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { isObject, type Json, type JsonObject } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { readJson } from "../config/read-config.ts";
import { BuildFailure, within } from "../failure.ts";
import type { Loader } from "../loader.ts";
import { readResources } from "./read-resources.ts";
import type { Resource } from "./resource.ts";

/** Runs helm. @param env besides this program's own */
export type RunHelm = (
  words: readonly string[],
  env: Readonly<Record<string, string>>,
) => Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>;

/** How charts are rendered. */
export interface HelmOptions {
  /** Undefined: it has to be allowed first. */
  readonly run: RunHelm | undefined;
  /** What failures call it. @default "helm" */
  readonly command?: string;
  /** Where a chart does not say one. @default helm's own */
  readonly kubeVersion?: string;
  /** Where a chart does not name any. @default [] */
  readonly apiVersions?: readonly string[];
  /** @default false */
  readonly debug?: boolean;
}

/** An entry of `helmCharts`, with what `helmGlobals` say. */
export interface ChartEntry {
  readonly name?: string;
  readonly version?: string;
  readonly repo?: string;
  readonly releaseName?: string;
  readonly namespace?: string;
  readonly nameTemplate?: string;
  readonly valuesFile?: string;
  readonly additionalValuesFiles?: readonly string[];
  readonly valuesInline?: JsonObject;
  readonly valuesMerge?: string;
  readonly includeCRDs?: boolean;
  readonly skipHooks?: boolean;
  readonly skipTests?: boolean;
  readonly debug?: boolean;
  readonly devel?: boolean;
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
  readonly chartHome?: string;
  readonly configHome?: string;
}

const DEFAULT_HOME = "charts";
const MERGES = ["merge", "override", "replace"];

/**
 * Looks at an entry before anything is built.
 *
 * @throws BuildFailure in the original's words
 */
export async function checkChart(loader: Loader, chart: ChartEntry, { run }: HelmOptions): Promise<void> {
  if (run === undefined) throw new BuildFailure("must specify --enable-helm");
  if ((chart.name ?? "") === "") throw new BuildFailure("chart name cannot be empty");
  for (const file of chart.additionalValuesFiles ?? []) {
    try {
      await loader.loadText(file);
    } catch (error) {
      throw within("could not load additionalValuesFile", error);
    }
  }
  if (!MERGES.includes(chart.valuesMerge || "override")) {
    throw new BuildFailure(`valuesMerge must be one of [${MERGES.join(" ")}]`);
  }
}

/** The objects of a chart; fetches it below its home where it is not there. @throws BuildFailure */
export async function inflateChart(loader: Loader, chart: ChartEntry, options: HelmOptions): Promise<Resource[]> {
  const folder = await mkdtemp(join(tmpdir(), "boxship-helm-"));
  try {
    const helm = new Helm(chart.configHome || join(folder, "helm"), options);
    const home = homeOf(loader.root, chart);
    await fetchChart(home, chart, helm);
    const values = join(folder, `${chart.name}-kustomize-values.yaml`);
    await writeFile(values, await valuesText(loader, chart));
    const text = await helm.run(templateWords(loader.root, home, values, chart, options));
    const made = readResources(text);
    // Their namespace is the chart's.
    for (const one of made) one.setAnnotation("internal.config.kubernetes.io/helm-generated", "true");
    return made;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Helm {
  readonly #options: HelmOptions;
  readonly #env: Readonly<Record<string, string>>;

  constructor(home: string, options: HelmOptions) {
    this.#options = options;
    this.#env = {
      HELM_CONFIG_HOME: home,
      HELM_CACHE_HOME: `${home}/.cache`,
      HELM_DATA_HOME: `${home}/.data`,
    };
  }

  async run(words: readonly string[]): Promise<string> {
    const { run, command = "helm" } = this.#options;
    if (run === undefined) throw new BuildFailure("must specify --enable-helm");
    const { status, stdout, stderr } = await run(words, this.#env);
    if (status === 0) return stdout;
    const env = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    const what = `unable to run: '${command} ${words.join(" ")}' with env=[${env.join(" ")}] (is '${command}' installed?)`;
    throw new BuildFailure(`${stderr === "" ? "" : `${stderr}: `}${what}: exit status ${status}`);
  }
}

const isVersioned = ({ version = "", repo = "" }: ChartEntry): boolean => version !== "" && repo !== "";
const versioned = (home: string, chart: ChartEntry): string =>
  isVersioned(chart) ? join(home, `${chart.name}-${chart.version}`) : home;

/** Where the chart's folder is; charts of several versions live beside each other. */
function homeOf(root: string, chart: ChartEntry): string {
  const home = chart.chartHome || DEFAULT_HOME;
  return versioned(isAbsolute(home) ? home : join(root, home), chart);
}

async function fetchChart(home: string, chart: ChartEntry, helm: Helm): Promise<void> {
  const { name = "", repo = "", version = "" } = chart;
  const there = await stat(join(home, name)).catch(() => undefined);
  if (there !== undefined) return;
  if (repo === "") throw new BuildFailure("no repo specified for pull, no chart found at ''");
  const isRegistry = repo.startsWith("oci://");
  const place = isRegistry ? [`${repo.replace(/\/+$/, "")}/${name}`] : ["--repo", repo, name];
  const words = ["pull", "--untar", "--untardir", home, ...place];
  if (chart.devel === true) words.push("--devel");
  await helm.run(version === "" ? words : [...words, "--version", version]);
}

/** The chart's values with those of the kustomization. */
async function valuesText(loader: Loader, chart: ChartEntry): Promise<string> {
  const home = chart.chartHome || DEFAULT_HOME;
  const file = chart.valuesFile || join(versioned(home, chart), chart.name ?? "", "values.yaml");
  const inline = chart.valuesInline ?? {};
  if (Object.keys(inline).length === 0) return await loader.loadText(file);
  if (chart.valuesMerge === "replace") return toYaml(inline);
  const json = readJson(await loader.loadText(file));
  const own: JsonObject = isObject(json) ? json : {};
  return toYaml(chart.valuesMerge === "merge" ? merged(inline, own) : merged(own, inline));
}

/** Maps are merged, all else is replaced; what is null takes away. */
function merged(below: JsonObject, above: JsonObject): JsonObject {
  const result: Record<string, Json | undefined> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = Object.hasOwn(below, key) ? below[key] : undefined;
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = merged(isObject(old) ? old : {}, value);
    else if (value !== undefined) result[key] = value;
  }
  return result;
}

function templateWords(
  root: string,
  home: string,
  values: string,
  chart: ChartEntry,
  options: HelmOptions,
): readonly string[] {
  const { name = "", releaseName = "", namespace = "", nameTemplate = "", additionalValuesFiles = [] } = chart;
  const apiVersions = (chart.apiVersions ?? []).length > 0 ? (chart.apiVersions ?? []) : (options.apiVersions ?? []);
  const kubeVersion = chart.kubeVersion || options.kubeVersion;
  return [
    "template",
    releaseName || "--generate-name",
    join(home, name),
    ...(namespace === "" ? [] : ["--namespace", namespace]),
    ...(nameTemplate === "" ? [] : ["--name-template", nameTemplate]),
    ...["-f", values],
    ...additionalValuesFiles.flatMap((file) => ["-f", join(root, file)]),
    ...apiVersions.flatMap((one) => ["--api-versions", one]),
    ...(kubeVersion ? ["--kube-version", kubeVersion] : []),
    ...(chart.includeCRDs === true ? ["--include-crds"] : []),
    ...(chart.skipTests === true ? ["--skip-tests"] : []),
    ...(chart.skipHooks === true ? ["--no-hooks"] : []),
    ...(chart.debug === true || options.debug === true ? ["--debug"] : []),
    ...(chart.devel === true ? ["--devel"] : []),
  ];
}
