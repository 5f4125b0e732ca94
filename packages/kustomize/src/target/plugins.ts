import { basename } from "node:path";
import { isObject, type Json } from "@boxship/api";
import { readJson, toFieldSpec } from "../config/read-config.ts";
import { decode, type Struct } from "../decode/shape.ts";
import { pluginShapes, replacement as replacementShape, valueTargetsFile } from "../decode/shapes.ts";
import { BuildFailure, within } from "../failure.ts";
import { generateData } from "../generate/generate-data.ts";
import type { FieldSpecEntry, GeneratorArgs, Replacement, Selector, Texts } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import type { MergeSchemas } from "../merge/merge-schema.ts";
import { prepareMerges, prepareOperations, preparePatch } from "../patch/apply-patch.ts";
import { addValue } from "../transform/add-value.ts";
import { addHashes } from "../transform/hash-names.ts";
import { changeImages } from "../transform/images.ts";
import { checkSubjectMode, setNamespace, setOne } from "../transform/namespace.ts";
import { replaceFields } from "../transform/replacements.ts";
import { setReplicas } from "../transform/replicas.ts";
import { addTexts, addToNames } from "../transform/texts.ts";
import { gvkText } from "./gvk.ts";
import { type ChartEntry, checkChart, type HelmOptions, inflateChart } from "./inflate-chart.ts";
import { idText } from "./res-id.ts";
import type { Resource } from "./resource.ts";
import type { ResourceMap } from "./resource-map.ts";
import { select } from "./selectors.ts";

export type Transform = (map: ResourceMap) => void;
export type Generate = () => Promise<Resource[]>;

interface PluginSurroundings {
  readonly loader: Loader;
  readonly schemas: MergeSchemas;
}

type PluginKind = keyof typeof pluginShapes;
type Fields = Readonly<Record<string, unknown>>;

const GENERATORS = new Set([
  "ConfigMapGenerator",
  "SecretGenerator",
  "IAMPolicyGenerator",
  "HelmChartInflationGenerator",
]);
/** Of the original, and not here. */
const REFUSED = new Set(["IAMPolicyGenerator"]);

/** What an object of `transformers` or `validators` does. */
export async function transformerOf(resource: Resource, surroundings: PluginSurroundings): Promise<Transform> {
  const kind = builtinKind(resource);
  if (GENERATORS.has(kind)) throw new BuildFailure(`plugin ${idText(resource.originalId)} not a transformer`);
  return await configured(resource, async () => await makeTransformer(kind as PluginKind, resource, surroundings));
}

/** What an object of `generators` makes. */
export async function generatorOf(
  resource: Resource,
  { loader, helm }: { readonly loader: Loader; readonly helm: HelmOptions },
): Promise<Generate> {
  const kind = builtinKind(resource);
  if (!GENERATORS.has(kind)) throw new BuildFailure(`plugin ${idText(resource.originalId)} not a generator`);
  return await configured(resource, async () => {
    if (kind === "HelmChartInflationGenerator") {
      const chart = fieldsOf(resource, kind) as ChartEntry;
      await checkChart(loader, chart, helm);
      return () => inflateChart(loader, chart, helm);
    }
    const fields = fieldsOf(resource, kind as PluginKind) as GeneratorArgs & {
      readonly metadata?: { readonly name?: string; readonly namespace?: string };
    };
    const name = fields.name || (fields.metadata?.name ?? "");
    const namespace = fields.namespace || (fields.metadata?.namespace ?? "");
    const data = kind === "SecretGenerator" ? "Secret" : "ConfigMap";
    return async () => [await generateData(loader, data, { ...fields, name, namespace })];
  });
}

function builtinKind(resource: Resource): string {
  const { gvk } = resource;
  if (gvk.group !== "" || gvk.version !== "builtin") {
    throw new BuildFailure(
      `external plugins disabled; unable to load external plugin '${resource.originalId.gvk.kind}'`,
    );
  }
  if (REFUSED.has(gvk.kind)) throw new BuildFailure(`${gvk.kind} is not supported here`);
  if (
    gvk.kind === "PrefixSuffixTransformer" ||
    (Object.hasOwn(pluginShapes, gvk.kind) && gvk.kind !== "SortOrderTransformer")
  ) {
    return gvk.kind;
  }
  throw new BuildFailure(`unable to load builtin ${gvkText(gvk)}`);
}

async function configured<T>(resource: Resource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw within(`plugin ${idText(resource.originalId)} fails configuration`, error);
  }
}

function fieldsOf(resource: Resource, kind: PluginKind): Fields {
  const shape: Struct = { type: `builtins.${kind}Plugin`, fields: pluginShapes[kind] };
  return decode(resource.toJson(), shape, { ignoreUnknown: true, lenient: true });
}

const specsOf = ({ fieldSpecs }: Fields): ReturnType<typeof toFieldSpec>[] =>
  ((fieldSpecs as readonly FieldSpecEntry[] | undefined) ?? []).map(toFieldSpec);

async function makeTransformer(
  kind: PluginKind | "PrefixSuffixTransformer",
  resource: Resource,
  around: PluginSurroundings,
): Promise<Transform> {
  if (kind === "PrefixSuffixTransformer") {
    const [prefix, suffix] = [affix(resource, "PrefixTransformer"), affix(resource, "SuffixTransformer")];
    return (map) => {
      prefix(map);
      suffix(map);
    };
  }
  const fields = fieldsOf(resource, kind);
  const specs = specsOf(fields);
  switch (kind) {
    case "PrefixTransformer":
    case "SuffixTransformer":
      return affix(resource, kind);
    case "AnnotationsTransformer":
      return (map) => addTexts(map, (fields["annotations"] ?? {}) as Texts, specs);
    case "LabelTransformer":
      return (map) => addTexts(map, (fields["labels"] ?? {}) as Texts, specs);
    case "HashTransformer":
      return addHashes;
    case "ImageTagTransformer":
      return (map) => changeImages(map, fields["imageTag"] ?? {}, specs);
    case "NamespaceTransformer":
      return namespaceTransformer(fields);
    case "ReplicaCountTransformer":
      return (map) => setReplicas(map, fields["replica"] ?? {}, specs);
    case "ValueAddTransformer":
      return await valueTransformer(fields, around.loader);
    case "ReplacementTransformer": {
      const replacements = await readReplacements(around.loader, (fields["replacements"] ?? []) as Replacement[]);
      return (map) => replaceFields(map, replacements);
    }
    default:
      return await patchTransformer(kind, fields, around);
  }
}

async function patchTransformer(
  kind: PluginKind,
  fields: Fields,
  { loader, schemas }: PluginSurroundings,
): Promise<Transform> {
  if (kind === "PatchTransformer") return await preparePatch(loader, schemas, fields);
  if (kind === "PatchJson6902Transformer") return await prepareOperations(loader, fields);
  const { paths = [], patches = "" } = fields as { readonly paths?: readonly string[]; readonly patches?: string };
  return await prepareMerges(loader, schemas, paths, patches);
}

function affix(resource: Resource, kind: "PrefixTransformer" | "SuffixTransformer"): Transform {
  const fields = fieldsOf(resource, kind);
  if (fields["fieldSpecs"] === undefined) throw new BuildFailure("fieldSpecs is not expected to be nil");
  const place = kind === "PrefixTransformer" ? "prefix" : "suffix";
  return (map) => addToNames(map, (fields[place] as string | undefined) ?? "", place, specsOf(fields));
}

function namespaceTransformer(fields: Fields): Transform {
  const {
    metadata,
    unsetOnly = false,
    setRoleBindingSubjects = "",
  } = fields as {
    readonly metadata?: { readonly namespace?: string };
    readonly unsetOnly?: boolean;
    readonly setRoleBindingSubjects?: string;
  };
  checkSubjectMode(setRoleBindingSubjects);
  const namespace = metadata?.namespace ?? "";
  return (map) => {
    if (namespace !== "") setNamespace(map, namespace, specsOf(fields), { unsetOnly, setRoleBindingSubjects });
  };
}

interface ValueTarget {
  readonly selector?: Selector;
  readonly fieldPath?: string;
  readonly filePathPosition?: number;
}

async function valueTransformer(fields: Fields, loader: Loader): Promise<Transform> {
  const {
    value = "",
    targets = [],
    targetFilePath = "",
  } = fields as {
    readonly value?: string;
    readonly targets?: readonly ValueTarget[];
    readonly targetFilePath?: string;
  };
  const text = value.trim() || basename(loader.root);
  const all = [...targets];
  if (targetFilePath !== "") {
    const json = readJson(await loader.loadText(targetFilePath));
    const file = decode(json, valueTargetsFile, { ignoreUnknown: true, lenient: true });
    all.push(...((file["targets"] ?? []) as readonly ValueTarget[]));
  }
  if (all.length === 0) throw new BuildFailure("must specify at least one target");
  for (const { fieldPath = "", filePathPosition = 0 } of all) {
    if (fieldPath === "") throw new BuildFailure("fieldPath cannot be empty");
    if (filePathPosition < 0) {
      throw new BuildFailure(`value of FilePathPosition (${filePathPosition}) cannot be negative`);
    }
  }
  return (map) => {
    for (const { selector, fieldPath = "", filePathPosition = 0 } of all) {
      for (const resource of selector === undefined ? map.resources : select(map.resources, selector)) {
        if (fieldPath === "metadata/namespace") setOne(resource, text, [], {});
        else addValue(resource.node, text, fieldPath, filePathPosition);
      }
    }
  };
}

/** Replacements, those of files in the place of their paths. */
export async function readReplacements(
  loader: Loader,
  entries: readonly Replacement[],
): Promise<readonly Replacement[]> {
  const all: Replacement[] = [];
  for (const entry of entries) {
    const { path = "" } = entry;
    if (path === "") {
      all.push(entry);
      continue;
    }
    if (entry.source !== undefined || (entry.targets ?? []).length > 0) {
      throw new BuildFailure("cannot specify both path and inline replacement");
    }
    const json = readJson(await loader.loadText(path));
    const list: readonly Json[] = Array.isArray(json) ? json : [json];
    for (const one of list) {
      if (!isObject(one)) {
        const kind = one === null ? "invalid" : typeof one;
        throw new BuildFailure(`unsupported replacement type encountered within replacement path: ${kind}`);
      }
      all.push(decode(one, replacementShape, { ignoreUnknown: true, lenient: true }));
    }
  }
  return all;
}
