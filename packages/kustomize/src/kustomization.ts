import { type Json, type JsonObject, textAt } from "@boxship/api";
import { decode } from "./decode/shape.ts";
import { kustomization as shape } from "./decode/shapes.ts";
import { BuildFailure, doing } from "./failure.ts";
import { parseYaml } from "./yaml/parse.ts";
import { resolveScalar11 } from "./yaml/resolve-scalar.ts";
import { toJson11 } from "./yaml/to-json.ts";

export interface Selector {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly annotationSelector?: string;
  readonly labelSelector?: string;
}

/** Fields as files have them: everything may be missing. */
export interface FieldSpecEntry {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly path?: string;
  readonly create?: boolean;
}

export interface GeneratorOptions {
  readonly labels?: Texts;
  readonly annotations?: Texts;
  readonly disableNameSuffixHash?: boolean;
  readonly immutable?: boolean;
}

export type Texts = Readonly<Record<string, string>>;

export interface GeneratorArgs {
  readonly namespace?: string;
  readonly name?: string;
  readonly behavior?: string;
  readonly literals?: readonly string[];
  readonly files?: readonly string[];
  readonly envs?: readonly string[];
  readonly env?: string;
  readonly options?: GeneratorOptions;
  /** A Secret's. */
  readonly type?: string;
}

export interface Patch {
  readonly path?: string;
  readonly patch?: string;
  readonly target?: Selector;
  readonly options?: { readonly allowNameChange?: boolean; readonly allowKindChange?: boolean };
}

export interface Image {
  readonly name?: string;
  readonly newName?: string;
  readonly tagSuffix?: string;
  readonly newTag?: string;
  readonly digest?: string;
}

export interface FieldOptions {
  readonly delimiter?: string;
  readonly index?: number;
  readonly encoding?: string;
  readonly create?: boolean;
}

export interface SourceSelector {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly fieldPath?: string;
  readonly options?: FieldOptions;
}

export interface TargetSelector {
  readonly select?: Selector;
  readonly reject?: readonly Selector[];
  readonly fieldPaths?: readonly string[];
  readonly options?: FieldOptions;
}

export interface Replacement {
  readonly source?: SourceSelector;
  readonly targets?: readonly TargetSelector[];
  readonly sourceValue?: string;
  /** A file with replacements instead. */
  readonly path?: string;
}

export interface Label {
  readonly pairs?: Texts;
  readonly includeSelectors?: boolean;
  readonly includeTemplates?: boolean;
  readonly fields?: readonly FieldSpecEntry[];
}

export interface Replica {
  readonly name?: string;
  readonly count?: number;
}

export interface Variable {
  readonly name?: string;
  readonly objref?: {
    readonly apiVersion?: string;
    readonly group?: string;
    readonly version?: string;
    readonly kind?: string;
    readonly name?: string;
    readonly namespace?: string;
  };
  readonly fieldref?: { readonly fieldPath?: string };
}

export interface SortOptions {
  readonly order?: string;
  readonly legacySortOptions?: { readonly orderFirst?: readonly string[]; readonly orderLast?: readonly string[] };
}

/** A kustomization file, its deprecated fields moved into those that replaced them. */
export interface Kustomization {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: JsonObject;
  readonly openapi?: Texts;
  readonly namePrefix?: string;
  readonly nameSuffix?: string;
  readonly namespace?: string;
  readonly commonLabels?: Texts;
  readonly labels?: readonly Label[];
  readonly commonAnnotations?: Texts;
  readonly patchesStrategicMerge?: readonly string[];
  readonly patchesJson6902?: readonly Patch[];
  readonly patches?: readonly Patch[];
  readonly images?: readonly Image[];
  readonly replacements?: readonly Replacement[];
  readonly replicas?: readonly Replica[];
  readonly vars?: readonly Variable[];
  readonly sortOptions?: SortOptions;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly crds?: readonly string[];
  readonly configMapGenerator?: readonly GeneratorArgs[];
  readonly secretGenerator?: readonly GeneratorArgs[];
  readonly helmGlobals?: JsonObject;
  readonly helmCharts?: readonly JsonObject[];
  readonly generatorOptions?: GeneratorOptions;
  readonly configurations?: readonly string[];
  readonly generators?: readonly string[];
  readonly transformers?: readonly string[];
  readonly validators?: readonly string[];
  readonly buildMetadata?: readonly string[];
}

export const FILE_NAMES = ["kustomization.yaml", "kustomization.yml", "Kustomization"] as const;
export const VERSION = "kustomize.config.k8s.io/v1beta1";
export const COMPONENT_VERSION = "kustomize.config.k8s.io/v1alpha1";

const FIX = "Run 'kustomize edit fix' to update your Kustomization automatically.";
const DEPRECATED: readonly (readonly [field: string, instead: string, remedy: string])[] = [
  ["bases", "resources", FIX],
  ["commonLabels", "labels", FIX],
  ["imageTags", "images", FIX],
  ["patchesJson6902", "patches", FIX],
  ["patchesStrategicMerge", "patches", FIX],
  ["vars", "replacements", `[EXPERIMENTAL] ${FIX}`],
];

/** @throws BuildFailure `invalid Kustomization: …` */
export function decodeKustomization(text: string): JsonObject {
  return doing("invalid Kustomization", () => {
    const node = parseYaml(text, resolveScalar11);
    return decode(node === undefined ? null : toJson11(node), shape);
  });
}

/**
 * Reads a kustomization file.
 *
 * @param root where it is, for messages
 * @param warn told of fields that are deprecated
 */
export function readKustomization(text: string, root: string, warn: (line: string) => void): Kustomization {
  const fields = decodeKustomization(text);
  for (const [field, instead, remedy] of DEPRECATED) {
    if (fields[field] === undefined) continue;
    warn(`# Warning: '${field}' is deprecated. Please use '${instead}' instead. ${remedy}`);
  }
  const moved = moveDeprecated(fields);
  const { apiVersion, kind, ...rest } = moved;
  if (Object.keys(rest).length === 0) throw new BuildFailure("kustomization.yaml is empty");
  const problems: string[] = [];
  if (kind !== "Kustomization" && kind !== "Component") problems.push("kind should be Kustomization or Component");
  const wanted = kind === "Component" ? COMPONENT_VERSION : VERSION;
  if (apiVersion !== wanted) problems.push(`apiVersion for ${textAt(moved, "kind")} should be ${wanted}`);
  if (problems.length > 0) {
    throw new BuildFailure(`Failed to read kustomization file under ${root}:\n${problems.join("\n")}`);
  }
  return moved as unknown as Kustomization;
}

/** What older files say in fields that have successors, said by these. */
export function moveDeprecated(fields: JsonObject): JsonObject {
  const moved: JsonObject = { ...fields };
  moved["kind"] = moved["kind"] || "Kustomization";
  moved["apiVersion"] = moved["apiVersion"] || (moved["kind"] === "Component" ? COMPONENT_VERSION : VERSION);
  append(moved, "resources", "bases");
  append(moved, "images", "imageTags");
  for (const generator of ["configMapGenerator", "secretGenerator"]) {
    const list = moved[generator];
    if (Array.isArray(list)) moved[generator] = list.map((args) => withEnvs(args as JsonObject));
  }
  const old = moved["helmChartInflationGenerator"];
  if (Array.isArray(old)) moveHelm(moved, old as JsonObject[]);
  delete moved["helmChartInflationGenerator"];
  return Object.fromEntries(Object.entries(moved).filter(([, value]) => value !== undefined && value !== ""));
}

function append(fields: JsonObject, field: string, old: string): void {
  const [list, more] = [fields[field], fields[old]];
  if (Array.isArray(more) && more.length > 0) fields[field] = [...(Array.isArray(list) ? list : []), ...more];
  delete fields[old];
}

function withEnvs(args: JsonObject): JsonObject {
  const { env, ...rest } = args;
  if (env === undefined || env === "") return rest;
  return { ...rest, envs: [...(Array.isArray(rest["envs"]) ? rest["envs"] : []), env] };
}

function moveHelm(fields: JsonObject, old: readonly JsonObject[]): void {
  const charts = old.map((one) =>
    present({
      name: one["chartName"],
      version: one["chartVersion"],
      repo: one["chartRepoUrl"],
      valuesFile: one["values"],
      valuesInline: one["valuesLocal"],
      valuesMerge: one["valuesMerge"],
      releaseName: one["releaseName"],
    }),
  );
  const home = (field: string): Json | undefined => old.findLast((one) => one[field])?.[field];
  const globals = present({ chartHome: home("chartHome"), configHome: home("helmHome") });
  if (fields["helmGlobals"] === undefined && Object.keys(globals).length > 0) fields["helmGlobals"] = globals;
  fields["helmCharts"] = [...(Array.isArray(fields["helmCharts"]) ? fields["helmCharts"] : []), ...charts];
}

const present = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== ""));
