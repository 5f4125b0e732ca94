import { toYaml } from "@boxship/api/yaml";
import { toFieldSpec } from "../config/read-config.ts";
import { mergeFields, type TransformerConfig } from "../config/transformer-config.ts";
import { doing, within } from "../failure.ts";
import type { FieldSpec } from "../fields/field-spec.ts";
import type { Kustomization, Label } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import type { MergeSchemas } from "../merge/merge-schema.ts";
import { prepareMerges, prepareOperations, preparePatch } from "../patch/apply-patch.ts";
import { changeImages } from "../transform/images.ts";
import { setNamespace } from "../transform/namespace.ts";
import { replaceFields } from "../transform/replacements.ts";
import { setReplicas } from "../transform/replicas.ts";
import { addTexts, addToNames } from "../transform/texts.ts";
import type { Origin } from "./origin.ts";
import { readReplacements, type Transform } from "./plugins.ts";

/** One change of all objects, and what it is noted as. */
export interface Step {
  readonly transform: Transform;
  readonly origin: Origin | undefined;
}

/** Of the kustomization whose fields they are. */
export interface StepSurroundings {
  readonly kustomization: Kustomization;
  readonly loader: Loader;
  readonly schemas: MergeSchemas;
  /** What a builtin plugin is noted as; undefined where nobody asked. */
  originOf(this: void, kind: string): Origin | undefined;
}

/** What the fields of a kustomization do, in the original's order. @throws BuildFailure */
export async function builtinSteps(around: StepSurroundings, config: TransformerConfig): Promise<Step[]> {
  const { kustomization, loader, originOf } = around;
  const steps: Step[] = [];
  const add = (kind: string, transform: Transform): void => {
    steps.push({ transform, origin: originOf(kind) });
  };
  await addPatches(around, add);
  const { namespace = "", namePrefix = "", nameSuffix = "", commonAnnotations = {} } = kustomization;
  const { images = [], replicas = [], replacements = [] } = kustomization;
  if (namespace !== "") add("NamespaceTransformer", (map) => setNamespace(map, namespace, config.namespace));
  if (namePrefix !== "") add("PrefixTransformer", (map) => addToNames(map, namePrefix, "prefix", config.namePrefix));
  if (nameSuffix !== "") add("SuffixTransformer", (map) => addToNames(map, nameSuffix, "suffix", config.nameSuffix));
  addLabels(kustomization, config, add);
  if (Object.keys(commonAnnotations).length > 0) {
    add("AnnotationsTransformer", (map) => addTexts(map, commonAnnotations, config.commonAnnotations));
  }
  const { patchesJson6902 = [] } = kustomization;
  for (const { target, path, patch } of patchesJson6902) {
    const args = present({ target, path, jsonOp: patch });
    add(
      "PatchJson6902Transformer",
      await configured("PatchJson6902Transformer", args, () => prepareOperations(loader, args)),
    );
  }
  for (const replica of replicas) {
    add("ReplicaCountTransformer", (map) => setReplicas(map, replica, config.replicas));
  }
  for (const image of images) add("ImageTagTransformer", (map) => changeImages(map, image, config.images));
  if (replacements.length > 0) {
    const args = { replacements };
    // The original writes them down for its transformer, and leaves out what is empty.
    const written = replacements.map(({ targets = [], ...rest }) =>
      targets.length === 0 ? rest : { ...rest, targets },
    );
    const all = await configured("ReplacementTransformer", args, () => readReplacements(loader, written));
    add("ReplacementTransformer", (map) => replaceFields(map, all));
  }
  return steps;
}

type Add = (kind: string, transform: Transform) => void;

async function addPatches({ kustomization, loader, schemas }: StepSurroundings, add: Add): Promise<void> {
  const { patchesStrategicMerge = [], patches = [] } = kustomization;
  if (patchesStrategicMerge.length > 0) {
    const kind = "PatchStrategicMergeTransformer";
    const prepare = () => prepareMerges(loader, schemas, patchesStrategicMerge);
    add(kind, await configured(kind, { paths: patchesStrategicMerge }, prepare));
  }
  for (const patch of patches) {
    const kind = "PatchTransformer";
    add(kind, await configured(kind, patch, () => preparePatch(loader, schemas, patch)));
  }
}

function addLabels(kustomization: Kustomization, config: TransformerConfig, add: Add): void {
  const { labels = [], commonLabels = {} } = kustomization;
  if (labels.length === 0 && Object.keys(commonLabels).length === 0) return;
  for (const label of labels) {
    const fields = doing("failed to merge labels", () => labelFields(label, config));
    add("LabelTransformer", (map) => addTexts(map, label.pairs ?? {}, fields));
  }
  add("LabelTransformer", (map) => addTexts(map, commonLabels, config.commonLabels));
}

function labelFields(label: Label, config: TransformerConfig): readonly FieldSpec[] {
  const own = mergeFields((label.fields ?? []).map(toFieldSpec), config.labels);
  if (label.includeSelectors === true) return mergeFields(own, config.commonLabels);
  const fields =
    label.includeTemplates === true
      ? doing("failed to merge template fieldSpec", () => mergeFields(own, config.templateLabels))
      : own;
  const metadata: FieldSpec = { group: "", version: "", kind: "", path: "metadata/labels", create: true };
  return mergeFields(fields, [metadata]);
}

async function configured<T>(kind: string, config: object, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withConfig(kind, config, error);
  }
}

const present = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

/** Says of a failure which plugin of which configuration it is. */
export function withConfig(kind: string, config: object, error: unknown): unknown {
  const text = toYaml(config as Parameters<typeof toYaml>[0]);
  return within(`trouble configuring builtin ${kind} with config: \`\n${text}\``, error);
}
