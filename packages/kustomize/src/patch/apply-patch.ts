import { isObject } from "@boxship/api";
import { quoteJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { BuildFailure, within } from "../failure.ts";
import type { Patch, Selector } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import { mergePatch } from "../merge/merge-patch.ts";
import type { MergeSchemas } from "../merge/merge-schema.ts";
import { gvkText } from "../target/gvk.ts";
import { readResources, validate } from "../target/read-resources.ts";
import { idKey, idText } from "../target/res-id.ts";
import type { Resource } from "../target/resource.ts";
import { ResourceMap } from "../target/resource-map.ts";
import { select } from "../target/selectors.ts";
import { fromJson } from "../yaml/from-json.ts";
import { Node } from "../yaml/node.ts";
import { parseYaml } from "../yaml/parse.ts";
import { resolveScalar11 } from "../yaml/resolve-scalar.ts";
import { toJson11 } from "../yaml/to-json.ts";
import { applyOperations, type Operation, readOperations } from "./json-patch.ts";

type Transformer = (map: ResourceMap) => void;

/** Reads a patch of either sort, and says what it will do. @param config as it was given, for messages */
export async function preparePatch(loader: Loader, schemas: MergeSchemas, patch: Patch): Promise<Transformer> {
  const { path = "", target } = patch;
  const inline = (patch.patch ?? "").trim();
  const config = toYaml({
    ...(patch as Record<string, never>),
    ...(patch.patch === undefined ? {} : { patch: patch.patch }),
  });
  if (inline === "" && path === "")
    throw new BuildFailure(`must specify one of patch and path in\n${config.trimEnd()}`);
  if (inline !== "" && path !== "") {
    throw new BuildFailure(`patch and path can't be set at the same time\n${config.trimEnd()}`);
  }
  const text = inline === "" ? await loadPatch(loader, path) : inline;
  const source = inline === "" ? `[path: ${quoteJson(path)}]` : `[patch: ${goQuote(inline)}]`;
  const merges = attempt(() => readResources(text));
  const operations = attempt(() => parseOperations(text));
  if ((merges?.length ?? 0) > 0 && (operations?.length ?? 0) > 0) {
    throw new BuildFailure(`illegally qualifies as both an SM and JSON patch: ${source}`);
  }
  if (merges === undefined && operations === undefined) {
    throw new BuildFailure(`unable to parse SM or JSON patch from ${source}`);
  }
  if (merges === undefined) return (map) => patchJson(map, operations ?? [], target, source);
  for (const one of merges) {
    one.mayChangeName = patch.options?.allowNameChange === true;
    one.mayChangeKind = patch.options?.allowKindChange === true;
  }
  return (map) => patchStrategic(map, merges, target, source, schemas);
}

async function loadPatch(loader: Loader, path: string): Promise<string> {
  try {
    return await loader.loadText(path);
  } catch (error) {
    throw within(`failed to get the patch file from path(${path})`, error);
  }
}

function attempt<T>(work: () => T | undefined): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof BuildFailure) return undefined;
    throw error;
  }
}

/** As Go quotes a text. */
export const goQuote = (text: string): string => JSON.stringify(text).replaceAll("\\b", "\\b").replaceAll("\\f", "\\f");

/** Operations as JSON, or as YAML. */
export function parseOperations(text: string): readonly Operation[] | undefined {
  if (text === "") return undefined;
  if (text.startsWith("[")) {
    try {
      return readOperations(JSON.parse(text));
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
  const node = parseYaml(text, resolveScalar11);
  return node === undefined ? undefined : readOperations(toJson11(node));
}

function patchJson(
  map: ResourceMap,
  operations: readonly Operation[],
  target: Selector | undefined,
  source: string,
): void {
  if (target === undefined) throw new BuildFailure(`must specify a target for JSON patch ${source}`);
  for (const resource of select(map.resources, target)) {
    resource.keepId();
    patchOne(resource, operations);
  }
}

/** Applies operations to one object as the original keeps it: with notes of the build among its annotations. */
export function patchOne(resource: Resource, operations: readonly Operation[]): void {
  const patched = applyOperations(resource.withNotes().toJson(), operations);
  if (!isObject(patched)) {
    throw new BuildFailure("json: cannot unmarshal into Go value of type map[string]interface {}");
  }
  resource.node = fromJson(patched);
  resource.dropNotes();
  if (resource.node.isEmpty) validate(resource.withNotes().node);
  // Whatever they were written as, annotations are texts from here on.
  if (resource.node.at("metadata", "annotations") !== undefined) resource.annotations = new Map(resource.annotations);
}

function patchStrategic(
  map: ResourceMap,
  patches: readonly Resource[],
  target: Selector | undefined,
  source: string,
  schemas: MergeSchemas,
): void {
  if (target !== undefined) {
    const [patch, ...more] = patches;
    if (more.length > 0) {
      throw new BuildFailure(
        `Multiple Strategic-Merge Patches in one \`patches\` entry is not allowed to set \`patches.target\` field: ${source}`,
      );
    }
    if (patch !== undefined) mergeSelected(map, select(map.resources, target), patch, schemas);
    return;
  }
  for (const patch of patches) {
    let found: Resource;
    try {
      found = map.byAnyId(patch.originalId);
    } catch (error) {
      throw within(`no resource matches strategic merge patch "${idText(patch.originalId)}"`, error);
    }
    mergeInto(found, patch, patch.node.copy(), schemas);
  }
}

/** Merges a patch into resources, whose names must stay apart. */
export function mergeSelected(
  map: ResourceMap,
  selected: readonly Resource[],
  patch: Resource,
  schemas: MergeSchemas,
): void {
  const ids = new Set(selected.map(({ id }) => idKey(id)));
  const kept: Resource[] = [];
  for (const resource of map.resources) {
    if (ids.has(idKey(resource.id))) {
      const own = patch.copy();
      // Labels and annotations become texts: one that is null becomes the word.
      own.labels = new Map(own.labels);
      own.annotations = new Map(own.annotations);
      own.node.setText("apiVersion", resource.apiVersion);
      mergeInto(resource, patch, own.node, schemas);
    }
    if (!resource.node.isEmpty) kept.push(resource);
  }
  map.resources = ResourceMap.of(kept).resources;
}

function mergeInto(resource: Resource, patch: Resource, node: Node, schemas: MergeSchemas): void {
  const { name, namespace, kind } = resource;
  if (patch.mayChangeName || patch.mayChangeKind) resource.keepId();
  const merged = mergePatch(resource.node, node, schemas);
  if (merged === undefined || merged.isEmpty) {
    resource.node = Node.of("mapping");
    return;
  }
  resource.node = merged;
  if (!patch.mayChangeKind) merged.setText("kind", kind);
  if (!patch.mayChangeName) resource.name = name;
  resource.namespace = namespace;
}

/** Patches of the older field, each for the object that has its name. */
export async function prepareMerges(
  loader: Loader,
  schemas: MergeSchemas,
  paths: readonly string[],
  inline = "",
): Promise<Transformer> {
  if (paths.length === 0 && inline === "") throw new BuildFailure("empty file path and empty patch content");
  const patches: Resource[] = [];
  for (const path of paths)
    patches.push(...(attempt(() => readResources(path)) ?? (await readPatchFile(loader, path))));
  if (inline !== "") patches.push(...readResources(inline));
  if (patches.length === 0) {
    throw new BuildFailure(`patch appears to be empty; files=[${paths.join(" ")}], Patch=${inline}`);
  }
  return (map) => {
    for (const patch of patches) mergeSelected(map, [map.byAnyId(patch.originalId)], patch, schemas);
  };
}

async function readPatchFile(loader: Loader, path: string): Promise<Resource[]> {
  const text = await loader.loadText(path);
  return readFileResources(text, path);
}

/** The same as {@link readResources}; what is no YAML is said to be in the file. */
export function readFileResources(text: string, path: string): Resource[] {
  try {
    return readResources(text);
  } catch (error) {
    if (error instanceof BuildFailure && error.message.includes("MalformedYAMLError")) {
      throw new BuildFailure(`${error.message} in File: ${path}`);
    }
    throw error;
  }
}

/** Operations of the older field, for what a selector with a name means. */
export async function prepareOperations(
  loader: Loader,
  { target, path = "", jsonOp = "" }: { readonly target?: Selector; readonly path?: string; readonly jsonOp?: string },
): Promise<Transformer> {
  if ((target?.name ?? "") === "") throw new BuildFailure("must specify the target name");
  if (path === "" && jsonOp === "") throw new BuildFailure("empty file path and empty jsonOp");
  if (path !== "" && jsonOp !== "") throw new BuildFailure("must specify a file path or jsonOp, not both");
  const text = path === "" ? jsonOp : await loader.loadText(path);
  if (text === "") throw new BuildFailure(`patch file '${path}' empty seems to be empty`);
  const operations = attempt(() => parseOperations(text));
  if (operations === undefined) throw new BuildFailure(`decoding ${text}: no list of operations`);
  if (operations.length === 0) {
    throw new BuildFailure(`patch appears to be empty; file=${path}, JsonOp=${text}`);
  }
  return (map) => {
    for (const resource of select(map.resources, target ?? {})) patchOne(resource, operations);
  };
}

export const pluginName = (resource: Resource): string => gvkText(resource.gvk);
