/** How far something goes: as in the original, with differences, or not at all and said so. */
export type Status = "works" | "differs" | "refused";

/** What deserves a word. Everything else works as in the original. */
export type Remark = readonly [status: Status, text: string];

export const FIELD_REMARKS: Readonly<Record<string, Remark>> = {
  bases: ["works", "deprecated; the same as `resources`"],
  commonLabels: ["works", "deprecated; a warning names `labels`"],
  components: ["works", ""],
  crds: [
    "works",
    "OpenAPI definitions with `x-kubernetes-object-ref-*`, `-annotation`, `-label-selector`, `-identity`",
  ],
  configurations: ["works", ""],
  generators: [
    "works",
    "`ConfigMapGenerator`, `SecretGenerator` and `HelmChartInflationGenerator`; others are refused",
  ],
  helmCharts: ["works", "with `--enable-helm`; by the helm that is built in, or by that of `--helm-command`"],
  helmChartInflationGenerator: ["works", "deprecated; moved to `helmCharts`"],
  helmGlobals: ["works", "of `helmCharts`"],
  imageTags: ["works", "deprecated; the same as `images`"],
  openapi: [
    "works",
    "`path` to definitions (OpenAPI 2); `version: v1.21.2`, which is answered by the definitions of 1.36",
  ],
  patchesJson6902: ["works", "deprecated; a warning names `patches`"],
  patchesStrategicMerge: ["works", "deprecated; a warning names `patches`"],
  replacements: [
    "works",
    "fields inside of JSON and YAML texts, too; comments in such a YAML text are lost (**differs**)",
  ],
  resources: ["works", "files, directories, URLs, git repositories (`git` must be installed)"],
  transformers: [
    "works",
    "builtin ones; programs and containers are refused as the original does without its alpha flags",
  ],
  validators: ["works", "builtin ones that change nothing"],
  vars: ["works", "deprecated; a warning names `replacements`"],
};

export const PLUGIN_REMARKS: Readonly<Record<string, Remark>> = {
  HelmChartInflationGenerator: ["works", "as `helmCharts`"],
  IAMPolicyGenerator: ["refused", "by name"],
  PrefixSuffixTransformer: ["works", ""],
  SortOrderTransformer: ["refused", "as in the original: use `sortOptions`"],
};

export const COMMAND_REMARKS: Readonly<Record<string, Remark>> = {
  build: [
    "works",
    "`--reorder`, `--load-restrictor`, `--enable-managedby-label`, `--enable-helm` and its kin, `-o FILE`; flags of functions are refused by name",
  ],
  "edit add resource": ["differs", "a pattern without a match is an error"],
  "edit fix": ["differs", "`--vars` is refused"],
  version: ["differs", "prints the version whose behaviour this is"],
};
