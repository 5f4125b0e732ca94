import { BuildFailure, doing } from "../failure.ts";
import type { FieldSpec } from "../fields/field-spec.ts";
import { type Gvk, isSelected, sameGvk } from "../target/gvk.ts";
import { DEFAULT_FIELDS } from "./default-fields.ts";

/** Which fields hold names of a kind's objects. */
export interface BackReference extends Gvk {
  readonly fieldSpecs: readonly FieldSpec[];
}

/** Which fields the transformers of a kustomization change. */
export interface TransformerConfig {
  readonly namePrefix: readonly FieldSpec[];
  readonly nameSuffix: readonly FieldSpec[];
  readonly namespace: readonly FieldSpec[];
  readonly commonAnnotations: readonly FieldSpec[];
  readonly commonLabels: readonly FieldSpec[];
  readonly labels: readonly FieldSpec[];
  readonly templateLabels: readonly FieldSpec[];
  readonly varReference: readonly FieldSpec[];
  readonly images: readonly FieldSpec[];
  readonly replicas: readonly FieldSpec[];
  readonly nameReference: readonly BackReference[];
}

export type FieldSection = Exclude<keyof TransformerConfig, "nameReference">;

/** Sections of fields, with what failures call them, in the order in which they are merged. */
const SECTIONS: Readonly<Record<FieldSection, string>> = {
  namePrefix: "NamePrefix",
  nameSuffix: "NameSuffix",
  namespace: "NameSpace",
  commonAnnotations: "CommonAnnotations",
  commonLabels: "CommonLabels",
  labels: "Labels",
  templateLabels: "TemplateLabels",
  varReference: "VarReference",
  images: "Images",
  replicas: "Replicas",
};

export const EMPTY_CONFIG: TransformerConfig = {
  namePrefix: [],
  nameSuffix: [],
  namespace: [],
  commonAnnotations: [],
  commonLabels: [],
  labels: [],
  templateLabels: [],
  varReference: [],
  images: [],
  replicas: [],
  nameReference: [],
};

let defaults: TransformerConfig | undefined;

export function defaultConfig(): TransformerConfig {
  defaults ??= sortConfig(readDefaults());
  return defaults;
}

function readDefaults(): TransformerConfig {
  const config: Record<string, unknown[]> = {};
  const references: (Gvk & { fieldSpecs: FieldSpec[] })[] = [];
  let section: unknown[] = [];
  for (const line of DEFAULT_FIELDS.trim().split("\n")) {
    const [name = "", ...words] = line.trim().split(" ");
    const of = (key: string): string => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
    const gvk = { group: of("group"), version: of("version"), kind: of("kind") };
    if (line.startsWith("  ")) section.push({ ...gvk, path: name, create: words.includes("create") });
    else if (name === "nameReference") {
      const fieldSpecs: FieldSpec[] = [];
      references.push({ ...gvk, fieldSpecs });
      section = fieldSpecs;
    } else {
      section = [];
      config[name] = section;
    }
  }
  return { ...EMPTY_CONFIG, ...(config as Partial<TransformerConfig>), nameReference: references };
}

/** @throws BuildFailure where both name a field and differ in whether it is made */
export function mergeConfigs(left: TransformerConfig, right: TransformerConfig): TransformerConfig {
  // Most kustomizations bring nothing but the defaults.
  if (right === EMPTY_CONFIG || left === right) return left;
  if (left === EMPTY_CONFIG) return right;
  const merged: Partial<Record<FieldSection, readonly FieldSpec[]>> = {};
  for (const [section, name] of Object.entries(SECTIONS) as [FieldSection, string][]) {
    merged[section] = doing(`failed to merge ${name} fieldSpec`, () => mergeFields(left[section], right[section]));
  }
  const nameReference = doing("failed to merge NameReference fieldSpec", () =>
    mergeReferences(left.nameReference, right.nameReference),
  );
  return sortConfig({ ...left, ...merged, nameReference });
}

/** Adds what is not there yet. */
export function mergeFields(left: readonly FieldSpec[], right: readonly FieldSpec[]): readonly FieldSpec[] {
  const merged = [...left];
  for (const field of right) {
    const known = merged.find((one) => one.path === field.path && isSelected(one, field));
    if (known === undefined) merged.push(field);
    else if (known.create !== field.create) throw new BuildFailure("conflicting fieldspecs");
  }
  return merged;
}

function mergeReferences(left: readonly BackReference[], right: readonly BackReference[]): readonly BackReference[] {
  const merged = [...left];
  for (const reference of right) {
    const at = merged.findIndex((one) => sameGvk(one, reference));
    const known = merged[at];
    if (known === undefined) merged.push(reference);
    else merged[at] = { ...known, fieldSpecs: mergeFields(known.fieldSpecs, reference.fieldSpecs) };
  }
  return merged;
}

/** Kinds in the order in which they are made in a cluster. */
const FIRST =
  `Namespace ResourceQuota StorageClass CustomResourceDefinition ServiceAccount PodSecurityPolicy Role ClusterRole
RoleBinding ClusterRoleBinding ConfigMap Secret Endpoints Service LimitRange PriorityClass PersistentVolume
PersistentVolumeClaim Deployment StatefulSet CronJob PodDisruptionBudget`.split(/\s+/);
const LAST = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

export const KIND_ORDER = { first: FIRST, last: LAST } as const;

const RANKS = new Map([
  ...FIRST.map((kind, at) => [kind, at - FIRST.length] as const),
  ...LAST.map((kind, at) => [kind, at + 1] as const),
]);

function compareGvk(left: Gvk, right: Gvk): number {
  const difference = (RANKS.get(left.kind) ?? 0) - (RANKS.get(right.kind) ?? 0);
  if (difference !== 0) return difference;
  const text = ({ group, version, kind }: Gvk): string => `${group || "~G"}_${version || "~V"}_${kind || "~K"}`;
  const [one, other] = [text(left), text(right)];
  return one < other ? -1 : Number(one > other);
}

function sortConfig(config: TransformerConfig): TransformerConfig {
  const sorted: Partial<Record<FieldSection, readonly FieldSpec[]>> = {};
  for (const section of Object.keys(SECTIONS) as FieldSection[]) sorted[section] = config[section].toSorted(compareGvk);
  return { ...config, ...sorted, nameReference: config.nameReference.toSorted(compareGvk) };
}
