import type { Shape, Struct } from "./shape.ts";

const TEXTS: Shape = { map: "string" };
const LIST: Shape = { list: "string" };

const gvk = { group: "string", version: "string", kind: "string" } as const;
const resId = { ...gvk, name: "string", namespace: "string" } as const;

const selector: Struct = {
  type: "types.Selector",
  fields: { ...resId, annotationSelector: "string", labelSelector: "string" },
};

export const fieldSpec: Struct = { type: "types.FieldSpec", fields: { ...gvk, path: "string", create: "bool" } };
const fieldSpecs: Shape = { list: fieldSpec };

const objectMeta: Struct = {
  type: "types.ObjectMeta",
  fields: { name: "string", namespace: "string", labels: TEXTS, annotations: TEXTS },
};

const generatorOptions: Struct = {
  type: "types.GeneratorOptions",
  fields: { labels: TEXTS, annotations: TEXTS, disableNameSuffixHash: "bool", immutable: "bool" },
};

const generatorArgs = {
  namespace: "string",
  name: "string",
  behavior: "string",
  literals: LIST,
  files: LIST,
  envs: LIST,
  env: "string",
  options: generatorOptions,
} as const;

const patch = {
  path: "string",
  patch: "string",
  target: selector,
  options: { type: "types.PatchArgs", fields: { allowNameChange: "bool", allowKindChange: "bool" } },
} as const;

const image: Struct = {
  type: "types.Image",
  fields: { name: "string", newName: "string", tagSuffix: "string", newTag: "string", digest: "string" },
};

const fieldOptions: Struct = {
  type: "types.FieldOptions",
  fields: { delimiter: "string", index: "int", encoding: "string", create: "bool" },
};

const replacementFields = {
  source: { type: "types.SourceSelector", fields: { ...resId, fieldPath: "string", options: fieldOptions } },
  targets: {
    list: {
      type: "types.TargetSelector",
      fields: { select: selector, reject: { list: selector }, fieldPaths: LIST, options: fieldOptions },
    },
  },
  sourceValue: "string",
} as const;

export const replacement: Struct = { type: "types.Replacement", fields: replacementFields };
const replacementField: Struct = { type: "types.ReplacementField", fields: { ...replacementFields, path: "string" } };

const replica: Struct = { type: "types.Replica", fields: { name: "string", count: "int64" } };

const variable: Struct = {
  type: "types.Var",
  fields: {
    name: "string",
    objref: { type: "types.Target", fields: { apiVersion: "string", ...gvk, name: "string", namespace: "string" } },
    fieldref: { type: "types.FieldSelector", fields: { fieldPath: "string" } },
  },
};

const helmChartFields = {
  name: "string",
  version: "string",
  repo: "string",
  releaseName: "string",
  namespace: "string",
  additionalValuesFiles: LIST,
  valuesFile: "string",
  valuesInline: "any",
  valuesMerge: "string",
  includeCRDs: "bool",
  skipHooks: "bool",
  apiVersions: LIST,
  kubeVersion: "string",
  nameTemplate: "string",
  skipTests: "bool",
  debug: "bool",
  devel: "bool",
} as const;
const helmChart: Struct = { type: "types.HelmChart", fields: helmChartFields };

const helmChartArgs: Struct = {
  type: "types.HelmChartArgs",
  fields: {
    chartName: "string",
    chartVersion: "string",
    chartRepoUrl: "string",
    chartHome: "string",
    chartRepoName: "string",
    helmBin: "string",
    helmHome: "string",
    values: "string",
    valuesLocal: "any",
    valuesMerge: "string",
    releaseName: "string",
    releaseNamespace: "string",
    extraArgs: LIST,
  },
};

const sortOptions: Struct = {
  type: "types.SortOptions",
  fields: {
    order: "string",
    legacySortOptions: { type: "types.LegacySortOptions", fields: { orderFirst: LIST, orderLast: LIST } },
  },
};

/** The file `kustomization.yaml`. */
export const kustomization: Struct = {
  type: "types.Kustomization",
  fields: {
    apiVersion: "string",
    kind: "string",
    metadata: objectMeta,
    openapi: TEXTS,
    namePrefix: "string",
    nameSuffix: "string",
    namespace: "string",
    commonLabels: TEXTS,
    labels: {
      list: {
        type: "types.Label",
        fields: { pairs: TEXTS, includeSelectors: "bool", includeTemplates: "bool", fields: fieldSpecs },
      },
    },
    commonAnnotations: TEXTS,
    patchesStrategicMerge: { list: "string" },
    patchesJson6902: { list: { type: "types.Patch", fields: patch } },
    patches: { list: { type: "types.Patch", fields: patch } },
    images: { list: image },
    imageTags: { list: image },
    replacements: { list: replacementField },
    replicas: { list: replica },
    vars: { list: variable },
    sortOptions,
    resources: LIST,
    components: LIST,
    crds: LIST,
    bases: LIST,
    configMapGenerator: { list: { type: "types.ConfigMapArgs", fields: generatorArgs } },
    secretGenerator: { list: { type: "types.SecretArgs", fields: { ...generatorArgs, type: "string" } } },
    helmGlobals: { type: "types.HelmGlobals", fields: { chartHome: "string", configHome: "string" } },
    helmCharts: { list: helmChart },
    helmChartInflationGenerator: { list: helmChartArgs },
    generatorOptions,
    configurations: LIST,
    generators: LIST,
    transformers: LIST,
    validators: LIST,
    buildMetadata: LIST,
  },
};

const backReference: Struct = { type: "builtinconfig.NameBackReferences", fields: { ...gvk, fieldSpecs } };

/** A file of `configurations`. */
export const transformerConfig: Struct = {
  type: "builtinconfig.TransformerConfig",
  fields: {
    namePrefix: fieldSpecs,
    nameSuffix: fieldSpecs,
    namespace: fieldSpecs,
    commonLabels: fieldSpecs,
    labels: fieldSpecs,
    templateLabels: fieldSpecs,
    commonAnnotations: fieldSpecs,
    nameReference: { list: backReference },
    varReference: fieldSpecs,
    images: fieldSpecs,
    replicas: fieldSpecs,
  },
};

const valueTargets: Shape = {
  list: {
    type: "builtins.Target",
    fields: { selector, fieldPath: "string", filePathPosition: "int" },
  },
};

/** The objects that configure transformers and generators of their own, by kind. */
export const pluginShapes = {
  AnnotationsTransformer: { annotations: TEXTS, fieldSpecs },
  ConfigMapGenerator: { metadata: objectMeta, ...generatorArgs },
  HashTransformer: {},
  HelmChartInflationGenerator: { ...helmChartFields, chartHome: "string", configHome: "string" },
  ImageTagTransformer: { imageTag: image, fieldSpecs },
  LabelTransformer: { labels: TEXTS, fieldSpecs },
  NamespaceTransformer: {
    metadata: objectMeta,
    fieldSpecs,
    unsetOnly: "bool",
    setRoleBindingSubjects: "string",
  },
  PatchJson6902Transformer: { target: selector, path: "string", jsonOp: "string" },
  PatchStrategicMergeTransformer: { paths: LIST, patches: "string" },
  PatchTransformer: patch,
  PrefixTransformer: { prefix: "string", fieldSpecs },
  ReplacementTransformer: { replacements: { list: replacementField } },
  ReplicaCountTransformer: { replica, fieldSpecs },
  SecretGenerator: { metadata: objectMeta, ...generatorArgs, type: "string" },
  SortOrderTransformer: { sortOptions },
  SuffixTransformer: { suffix: "string", fieldSpecs },
  ValueAddTransformer: { value: "string", targets: valueTargets, targetFilePath: "string" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Shape>>>>;

export const valueTargetsFile: Struct = { type: "builtins.Targets", fields: { targets: valueTargets } };
