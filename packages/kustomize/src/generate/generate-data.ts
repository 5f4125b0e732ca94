import { isUtf8 } from "node:buffer";
import { BuildFailure, within } from "../failure.ts";
import type { GeneratorArgs, GeneratorOptions, Texts } from "../kustomization.ts";
import type { Loader } from "../loader.ts";
import { type Behavior, Resource, textMap, textNode } from "../target/resource.ts";
import { BOOL, Node, STR } from "../yaml/node.ts";
import { type DataPair, readPairs } from "./read-pairs.ts";

/** A ConfigMap or a Secret of files, literals and environment files. */
export async function generateData(
  loader: Loader,
  kind: "ConfigMap" | "Secret",
  args: GeneratorArgs,
): Promise<Resource> {
  const { name = "", namespace = "", type = "", options, behavior = "" } = args;
  if (name === "") throw new BuildFailure("a configmap must have a name");
  const node = Node.mapping([
    ["apiVersion", Node.text("v1")],
    ["kind", Node.text(kind)],
    ["metadata", Node.mapping([["name", Node.text(name)]])],
  ]);
  const resource = new Resource(node);
  if (namespace !== "") resource.metadata().set("namespace", Node.text(namespace));
  if (kind === "Secret") node.set("type", Node.text(type || "Opaque"));
  const data = checked(name, await loadPairs(loader, args));
  if (kind === "Secret") node.set("data", textNode(new Map(data.map(([key, value]) => [key, encodeBase64(value)]))));
  else setData(node, data);
  setOptions(resource, options);
  resource.needsHash = options?.disableNameSuffixHash !== true;
  resource.behavior = toBehavior(behavior);
  resource.generated = true;
  return resource;
}

async function loadPairs(loader: Loader, args: GeneratorArgs): Promise<readonly DataPair[]> {
  try {
    return await readPairs(loader, args);
  } catch (error) {
    throw within("loading KV pairs", error);
  }
}

function checked(name: string, pairs: readonly DataPair[]): readonly DataPair[] {
  const seen = new Set<string>();
  for (const [key] of pairs) {
    if (seen.has(key)) throw new BuildFailure(`configmap ${name} illegally repeats the key \`${key}\``);
    seen.add(key);
  }
  return pairs;
}

function setData(node: Node, data: readonly DataPair[]): void {
  const texts = new Map<string, string>();
  const binary = new Map<string, string>();
  for (const [key, value] of data) {
    if (isUtf8(value)) texts.set(key, value.toString("utf8"));
    else binary.set(key, encodeBase64(value));
  }
  if (texts.size > 0) node.set("data", textNode(texts));
  if (binary.size > 0) node.set("binaryData", textNode(binary));
}

const LINE = 70;

/** In lines, when there is more than one. */
export function encodeBase64(value: Buffer): string {
  const text = value.toString("base64");
  if (text.length < LINE) return text;
  return text.replace(/.{1,70}/g, (line) => `${line}\n`);
}

function setOptions(resource: Resource, options: GeneratorOptions | undefined): void {
  if (options === undefined) return;
  const add = (field: "labels" | "annotations", texts: Texts | undefined): void => {
    if (texts !== undefined && Object.keys(texts).length > 0) resource[field] = new Map(Object.entries(texts));
  };
  add("labels", options.labels);
  add("annotations", options.annotations);
  if (options.immutable === true) resource.node.set("immutable", Node.scalar("true", BOOL));
}

const toBehavior = (text: string): Behavior =>
  text === "create" || text === "replace" || text === "merge" ? text : "unspecified";

/** Options of one generator with those of all: what either switches on is on, own labels and annotations win. */
export function mergeOptions(
  own: GeneratorOptions | undefined,
  all: GeneratorOptions | undefined,
): GeneratorOptions | undefined {
  if (all === undefined) return own;
  const texts = (field: "labels" | "annotations"): Texts => ({ ...all[field], ...own?.[field] });
  return {
    labels: texts("labels"),
    annotations: texts("annotations"),
    disableNameSuffixHash: own?.disableNameSuffixHash === true || all.disableNameSuffixHash === true,
    immutable: own?.immutable === true || all.immutable === true,
  };
}

/** What a generator with `behavior: merge` makes of an object that is there: its own data wins. */
export function mergeData(target: Resource, old: Resource): void {
  const { node } = target;
  for (const field of ["data", "binaryData"] as const) {
    const merged = new Map([...textMap(old.node.get(field)), ...textMap(node.get(field))]);
    node.remove(field);
    if (merged.size === 0) continue;
    const texts = textNode(merged);
    for (const { value } of texts.pairs) value.tag = STR;
    node.set(field, texts);
  }
}
