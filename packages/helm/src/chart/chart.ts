import type { Dict } from "../functions/go-values.ts";

/** A file of a chart; its name is relative to the chart, with slashes. */
export interface ChartFile {
  readonly name: string;
  readonly data: Buffer;
}

export interface Maintainer {
  readonly name?: string;
  readonly email?: string;
  readonly url?: string;
}

/** Another chart that a chart needs, as `Chart.yaml` (or version 1's `requirements.yaml`) names it. */
export interface Dependency {
  readonly name: string;
  /** A constraint. */
  readonly version: string;
  readonly repository: string;
  /** Paths of values with commas between them; the first that is true or false says whether the chart is used. */
  readonly condition: string;
  readonly tags: readonly string[];
  readonly importValues: readonly unknown[];
  readonly alias: string;
}

/** `Chart.yaml`. */
export interface Metadata {
  readonly apiVersion: string;
  readonly name: string;
  readonly version: string;
  /** `application` where nothing is said. */
  readonly type: string;
  readonly kubeVersion: string;
  readonly appVersion: string;
  readonly description: string;
  readonly deprecated: boolean;
  readonly dependencies: readonly Dependency[];
  readonly maintainers: readonly Maintainer[];
  /** All fields as they were written. */
  readonly raw: Dict;
}

export interface Chart {
  readonly metadata: Metadata;
  /** Defaults of the values. */
  readonly values: Dict;
  /** `values.schema.json`. */
  readonly schema: Buffer | undefined;
  readonly templates: readonly ChartFile[];
  /** What templates see as `.Files`, and `crds/`. */
  readonly files: readonly ChartFile[];
  readonly dependencies: readonly Chart[];
  /** `Chart.lock`, or version 1's `requirements.lock`. */
  readonly lock: Dict | undefined;
  /** All of the chart's files, without those of charts in it. */
  readonly raw: readonly ChartFile[];
}

/** Charts that `Chart.yaml` names and that are not there. */
export const missingDependencies = ({ metadata, dependencies }: Chart): readonly Dependency[] =>
  metadata.dependencies.filter((one) => !dependencies.some((chart) => chart.metadata.name === one.name));

export const isLibrary = ({ metadata }: Chart): boolean => metadata.type === "library";

/** Custom resource definitions of a chart and of those in it. */
export function crdFiles(chart: Chart, path: string = chart.metadata.name): readonly ChartFile[] {
  const own = chart.files
    .filter(({ name }) => name.startsWith("crds/") && /\.(ya?ml|json)$/.test(name))
    .map(({ name, data }) => ({ name: `${path}/${name}`, data }));
  return [...own, ...chart.dependencies.flatMap((one) => crdFiles(one, `${path}/charts/${one.metadata.name}`))];
}
