import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import { type Chart, crdFiles, isLibrary, missingDependencies } from "../chart/chart.ts";
import type { Capabilities } from "../engine/capabilities.ts";
import { type ReleaseInfo, type RenderOptions, render } from "../engine/render.ts";
import type { Dict } from "../functions/go-values.ts";
import { type Hook, type Manifest, sortManifests } from "../manifest/manifest.ts";
import { coalesceValues, type Warn } from "../values/coalesce.ts";
import { processDependencies } from "../values/dependencies.ts";
import { validateSchemas } from "../values/validate-schema.ts";
import { parseConstraint } from "../version/constraint.ts";
import { parseVersion } from "../version/version.ts";
import { postRendered } from "./post-render.ts";

export interface ChartRenderOptions {
  readonly release: ReleaseInfo;
  readonly capabilities: Capabilities;
  readonly warn: Warn;
  readonly strict?: boolean;
  /** Whether notes of charts in the chart are shown, too. @default false */
  readonly subchartNotes?: boolean;
  /** Whether values are not compared with schemas. @default false */
  readonly skipSchemas?: boolean;
  readonly lookup?: RenderOptions["lookup"];
  readonly lookupHost?: RenderOptions["lookupHost"];
  /** Changes the text of all manifests before it is used. */
  readonly postRender?: (text: string) => Promise<string>;
}

export interface RenderedChart {
  /** With the charts that values turn off left out. */
  readonly chart: Chart;
  /** With all defaults. */
  readonly values: Dict;
  readonly manifests: readonly Manifest[];
  readonly hooks: readonly Hook[];
  readonly notes: string;
  readonly crds: readonly { readonly name: string; readonly text: string }[];
}

/**
 * A chart with values, as text and objects.
 *
 * @throws InvalidArgument for charts that cannot be installed, values that a schema refuses, and templates that fail
 */
export async function renderChart(given: Chart, values: Dict, options: ChartRenderOptions): Promise<RenderedChart> {
  const { release, capabilities, warn } = options;
  checkInstallable(given, capabilities);
  const chart = processDependencies(given, values, warn);
  const merged = coalesceValues(chart, values, warn);
  if (options.skipSchemas !== true) await validateSchemas(chart, merged);
  const rendered = new Map(
    render(chart, merged, {
      release,
      capabilities,
      ...(options.strict !== undefined && { strict: options.strict }),
      ...(options.lookup !== undefined && { lookup: options.lookup }),
      ...(options.lookupHost !== undefined && { lookupHost: options.lookupHost }),
    }),
  );
  const notes = takeNotes(rendered, chart, options.subchartNotes ?? false);
  const { postRender } = options;
  const sorted = sortManifests(postRender === undefined ? rendered : await postRendered(rendered, postRender));
  const crds = crdFiles(chart).map(({ name, data }) => ({ name, text: data.toString("utf8") }));
  return { chart, values: merged, ...sorted, notes, crds };
}

function takeNotes(rendered: Map<string, string>, chart: Chart, all: boolean): string {
  const notes: string[] = [];
  const own = `${chart.metadata.name}/templates/NOTES.txt`;
  for (const [name, text] of [...rendered].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.endsWith("NOTES.txt")) continue;
    rendered.delete(name);
    if (name === own || all) notes.push(text);
  }
  return notes.join("\n");
}

function checkInstallable(chart: Chart, { kubeVersion }: Capabilities): void {
  const { name, kubeVersion: wanted } = chart.metadata;
  if (isLibrary(chart)) throw new InvalidArgument(`library charts are not installable: ${name}`);
  const missing = missingDependencies(chart);
  if (missing.length > 0) {
    throw new FailedPrecondition(
      `found in Chart.yaml, but missing in charts/ directory: ${missing.map((one) => one.name).join(", ")}`,
      { remedy: "run 'boxship helm dependency build' on the chart" },
    );
  }
  const version = parseVersion(kubeVersion);
  if (wanted !== "" && version !== undefined && !parseConstraint(wanted).allows(version)) {
    throw new FailedPrecondition(
      `chart requires kubeVersion: ${wanted} which is incompatible with Kubernetes ${kubeVersion}`,
    );
  }
}

/** Manifests as one text, as a release keeps them. */
export const manifestText = (manifests: readonly Pick<Manifest, "source" | "content">[]): string =>
  manifests.map(({ source, content }) => `---\n# Source: ${source}\n${content}\n`).join("");
