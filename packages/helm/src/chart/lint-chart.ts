import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base/errors";
import { defaultCapabilities } from "../engine/capabilities.ts";
import { render } from "../engine/render.ts";
import { type Dict, getKey } from "../functions/go-values.ts";
import { readYaml } from "../functions/yaml.ts";
import { sortManifests } from "../manifest/manifest.ts";
import { coalesceValues } from "../values/coalesce.ts";
import { processDependencies } from "../values/dependencies.ts";
import { validateSchemas } from "../values/validate-schema.ts";
import { isStrictVersion, parseVersion } from "../version/version.ts";
import { type Chart, isLibrary } from "./chart.ts";
import { loadChart } from "./load-chart.ts";

export interface LintMessage {
  readonly severity: "INFO" | "WARNING" | "ERROR";
  /** The file, from within the chart. */
  readonly path: string;
  readonly text: string;
}

export interface LintOptions {
  readonly values: Dict;
  readonly namespace: string;
  readonly kubeVersion?: string;
  readonly skipSchemas?: boolean;
}

/** What is wrong with a chart, and what could be better. */
export async function lintChart(path: string, options: LintOptions): Promise<readonly LintMessage[]> {
  let chart: Chart;
  try {
    chart = await loadChart(path);
  } catch (error) {
    return [{ severity: "ERROR", path: "Chart.yaml", text: errorMessage(error) }, ...(await brokenYaml(path))];
  }
  return [...lintMetadata(chart), ...lintValues(chart), ...(await lintTemplates(chart, options))];
}

/** A chart that does not load may have several files that are no YAML. */
async function brokenYaml(path: string): Promise<readonly LintMessage[]> {
  const found: LintMessage[] = [];
  for (const name of ["values.yaml"]) {
    try {
      readYaml(await readFile(join(path, name), "utf8"), { name, unique: true });
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT" || (error as { code?: string }).code === "ENOTDIR") continue;
      found.push({ severity: "ERROR", path: name, text: errorMessage(error) });
    }
  }
  return found;
}

function lintMetadata({ metadata, raw }: Chart): readonly LintMessage[] {
  const found: LintMessage[] = [];
  const say = (severity: LintMessage["severity"], text: string) =>
    void found.push({ severity, path: "Chart.yaml", text });
  if (getKey(metadata.raw, "apiVersion") === undefined)
    say("ERROR", 'apiVersion is required. The value must be either "v1" or "v2"');
  if (!isStrictVersion(metadata.version))
    say("WARNING", `version ${JSON.stringify(metadata.version)} is not a strict semantic version`);
  if (metadata.version !== "" && parseVersion(metadata.version)?.major === 0n && metadata.version.startsWith("0.0.0")) {
    say("INFO", "version 0.0.0 looks like a placeholder");
  }
  if (getKey(metadata.raw, "icon") === undefined) say("INFO", "icon is recommended");
  if (typeof getKey(metadata.raw, "appVersion") === "number")
    say("ERROR", `appVersion should be of type string but it's of type float64`);
  if (typeof getKey(metadata.raw, "version") === "number")
    say("ERROR", `version should be of type string but it's of type float64`);
  for (const { name } of metadata.maintainers)
    if (name === undefined || name === "") say("ERROR", "each maintainer requires a name");
  if (metadata.apiVersion === "v1" && raw.some(({ name }) => name === "Chart.lock")) {
    say(
      "ERROR",
      "dependencies are not valid in the Chart file with apiVersion 'v1'. They are valid in apiVersion 'v2'",
    );
  }
  return found;
}

const lintValues = ({ raw }: Chart): readonly LintMessage[] =>
  raw.some(({ name }) => name === "values.yaml")
    ? []
    : [{ severity: "INFO", path: "values.yaml", text: "file does not exist" }];

async function lintTemplates(given: Chart, options: LintOptions): Promise<readonly LintMessage[]> {
  const found: LintMessage[] = [];
  const problem = (path: string, error: unknown) =>
    void found.push({ severity: "ERROR", path, text: errorMessage(error) });
  for (const dependency of given.metadata.dependencies) {
    if (!given.dependencies.some(({ metadata }) => metadata.name === dependency.name)) {
      found.push({
        severity: "WARNING",
        path: "charts",
        text: `chart directory is missing these dependencies: ${dependency.name}`,
      });
    }
  }
  if (isLibrary(given)) return found;
  const warn = (text: string) => void found.push({ severity: "WARNING", path: "values.yaml", text });
  try {
    const chart = processDependencies(given, options.values, warn);
    const values = coalesceValues(chart, options.values, () => undefined);
    if (options.skipSchemas !== true)
      await validateSchemas(chart, values).catch((error: unknown) => problem("values.yaml", error));
    const rendered = render(chart, values, {
      release: { name: "test-release", namespace: options.namespace, revision: 1, isUpgrade: false },
      capabilities: {
        ...defaultCapabilities,
        ...(options.kubeVersion !== undefined && { kubeVersion: options.kubeVersion }),
      },
      lint: true,
      onProblem: (text) => void found.push({ severity: "INFO", path: "templates/", text }),
    });
    const objects = new Map([...rendered].filter(([name]) => !name.endsWith("NOTES.txt")));
    for (const { source, kind, name, object } of sortManifests(objects).manifests) {
      if (kind === "") problem(source, new Error("object has no kind"));
      else if (textAt(object, "apiVersion") === "") problem(source, new Error(`${kind} has no apiVersion`));
      else if (name === "" && textAt(object, "metadata", "generateName") === "" && !kind.endsWith("List")) {
        problem(source, new Error(`object name does not conform to Kubernetes naming requirements: ""`));
      }
    }
  } catch (error) {
    problem("templates/", error);
  }
  return found;
}
