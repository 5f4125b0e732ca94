import { BuildFailure } from "./failure.ts";
import { Loader } from "./loader.ts";
import { builtinSchemas } from "./merge/merge-schema.ts";
import type { RunProgram } from "./remote/clone.ts";
import type { HelmOptions } from "./target/inflate-chart.ts";
import { clearTransformations, setOrigin } from "./target/origin.ts";
import { validate } from "./target/read-resources.ts";
import type { Resource } from "./target/resource.ts";
import { Accumulated, Target } from "./target/target.ts";
import { addHashes } from "./transform/hash-names.ts";
import { updateReferences } from "./transform/name-references.ts";
import { sortResources } from "./transform/sort.ts";
import { addTexts } from "./transform/texts.ts";
import { resolveVariables } from "./transform/variables.ts";

export interface BuildOptions {
  /** Order where the kustomization does not say one. @default "legacy" */
  readonly reorder?: "legacy" | "none" | undefined;
  /** Files outside of a kustomization's directory are read. @default false */
  readonly unrestricted?: boolean | undefined;
  /** How charts are rendered. @default they are refused */
  readonly helm?: HelmOptions | undefined;
  /** Label everything `app.kubernetes.io/managed-by`. @default false */
  readonly managedBy?: boolean | undefined;
  /** What the label says that this is. @default that of kubectl's own, which knows none */
  readonly version?: string | undefined;
  /** Told what is deprecated. @default nobody */
  readonly warn?: ((line: string) => void) | undefined;
  /** Starts git, for bases in repositories. @default they are refused */
  readonly run?: RunProgram | undefined;
}

/** Annotations that are notes of the build. */
const NOTES = [
  ..."previousKinds previousNames previousNamespaces prefixes suffixes allowNameChange allowKindChange refBy generatorBehavior needsHashSuffix path index seqindent id annotations-migration-resource-id helm-generated"
    .split(" ")
    .map((name) => `internal.config.kubernetes.io/${name}`),
  "config.kubernetes.io/path",
  "config.kubernetes.io/index",
  "config.k8s.io/id",
];

/**
 * Builds a kustomization.
 *
 * @param path a directory with a kustomization file, or the address of one in a git repository
 * @returns its objects as one text of YAML documents
 * @throws BuildFailure
 */
export async function buildKustomization(path: string, options: BuildOptions = {}): Promise<string> {
  const { reorder = "legacy", warn = () => undefined, run, helm = { run: undefined } } = options;
  await using loader = await Loader.at(path, { unrestricted: options.unrestricted === true, run });
  const context = {
    helm,
    warn,
    schemas: builtinSchemas,
    schemasChosen: false,
  };
  const target = await Target.root(loader, context);
  const all = await target.accumulate();
  finish(all, warn);
  const { sortOptions, buildMetadata = [] } = target.kustomization;
  if (sortOptions !== undefined) sortResources(all.map, sortOptions);
  else if (reorder === "legacy") sortResources(all.map, { order: "legacy" });
  if (options.managedBy === true || buildMetadata.includes("managedByLabel")) {
    const labels = { "app.kubernetes.io/managed-by": `kustomize-${options.version ?? "(devel)"}` };
    addTexts(all.map, labels, [{ group: "", version: "", kind: "", path: "metadata/labels", create: true }]);
  }
  for (const resource of all.map.resources) clean(resource, buildMetadata);
  const documents: string[] = [];
  for (const resource of all.map.resources) documents.push(write(resource));
  return documents.join("---\n");
}

/** What can only be done when everything is there: final names, what refers to them, variables. */
function finish(all: Accumulated, warn: (line: string) => void): void {
  addHashes(all.map);
  updateReferences(all.map, all.config.nameReference);
  if (all.variables.length > 0) {
    const unused = resolveVariables(all.map, all.variables, all.config.varReference);
    if (unused.length > 0) {
      warn(`well-defined vars that were never replaced: ${unused.join(",")}`);
    }
  }
  for (const { node } of all.map.resources) if (!node.isEmpty) validate(node);
  all.map.resources = all.map.resources.filter(({ node, annotations }) => {
    const local = annotations.get("config.kubernetes.io/local-config");
    return !node.isEmpty && (local === undefined || local === "false");
  });
}

function clean(resource: Resource, metadata: readonly string[]): void {
  const annotations = new Map(resource.annotations);
  for (const name of NOTES) annotations.delete(name);
  if (resource.annotations.size > 0) resource.annotations = annotations;
  if (!metadata.includes("originAnnotations")) setOrigin(resource, undefined);
  if (!metadata.includes("transformerAnnotations")) clearTransformations(resource);
}

function write(resource: Resource): string {
  try {
    return resource.toYaml();
  } catch (error) {
    if (error instanceof BuildFailure) throw new BuildFailure(`map[string]interface {}(nil): ${error.message}`);
    throw error;
  }
}
