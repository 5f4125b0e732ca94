import type { Json } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { BuildFailure } from "../failure.ts";
import { fieldLines } from "../yaml/emit.ts";
import { isThere, Node } from "../yaml/node.ts";
import { DuplicateField, toJson } from "../yaml/to-json.ts";
import { type Gvk, gvkOf, isClusterScoped } from "./gvk.ts";
import { effectiveNamespace, type ResId } from "./res-id.ts";

export type Behavior = "unspecified" | "create" | "replace" | "merge";

const NOTE = "internal.config.kubernetes.io/";
const NOTES = [
  "generatorBehavior",
  "needsHashSuffix",
  "prefixes",
  "previousKinds",
  "previousNames",
  "previousNamespaces",
  "suffixes",
] as const;

/** An object on its way through a build, and what the build remembers of it. */
export class Resource {
  node: Node;
  /** Earlier names, the oldest first. */
  previous: ResId[] = [];
  prefixes: string[] = [];
  suffixes: string[] = [];
  /** Names of variables whose value is a field of this. */
  variables: string[] = [];
  needsHash = false;
  behavior: Behavior = "unspecified";
  generated = false;
  mayChangeName = false;
  mayChangeKind = false;

  constructor(node: Node) {
    this.node = node;
  }

  copy(): Resource {
    const copy = new Resource(this.node.copy());
    copy.remember(this);
    copy.needsHash = this.needsHash;
    copy.behavior = this.behavior;
    copy.generated = this.generated;
    copy.mayChangeName = this.mayChangeName;
    copy.mayChangeKind = this.mayChangeKind;
    return copy;
  }

  /** Takes another's history. */
  remember({ previous, prefixes, suffixes, variables }: Resource): void {
    this.previous = [...previous];
    this.prefixes = [...prefixes];
    this.suffixes = [...suffixes];
    this.variables = [...variables];
  }

  get apiVersion(): string {
    return this.node.get("apiVersion")?.text ?? "";
  }

  get kind(): string {
    return this.node.get("kind")?.text ?? "";
  }

  get gvk(): Gvk {
    return gvkOf(this.apiVersion, this.kind);
  }

  get name(): string {
    return this.node.textAt("metadata", "name");
  }

  set name(name: string) {
    this.metadata().setText("name", name);
  }

  get namespace(): string {
    return this.node.textAt("metadata", "namespace");
  }

  set namespace(namespace: string) {
    if (namespace === "") this.node.get("metadata")?.remove("namespace");
    else this.metadata().setText("namespace", namespace);
  }

  metadata(): Node {
    const metadata = this.node.get("metadata");
    if (isThere(metadata)) return metadata;
    const made = Node.of("mapping");
    this.node.set("metadata", made);
    return made;
  }

  get annotations(): ReadonlyMap<string, string> {
    return textMap(this.node.at("metadata", "annotations"));
  }

  set annotations(annotations: ReadonlyMap<string, string>) {
    this.#setTexts("annotations", annotations);
  }

  get labels(): ReadonlyMap<string, string> {
    return textMap(this.node.at("metadata", "labels"));
  }

  set labels(labels: ReadonlyMap<string, string>) {
    this.#setTexts("labels", labels);
  }

  setAnnotation(name: string, value: string | undefined): void {
    const annotations = new Map(this.annotations);
    if (value === undefined) annotations.delete(name);
    else annotations.set(name, value);
    this.annotations = annotations;
  }

  #setTexts(field: string, texts: ReadonlyMap<string, string>): void {
    const metadata = this.metadata();
    metadata.remove(field);
    if (texts.size > 0) metadata.set(field, textNode(texts));
  }

  get id(): ResId {
    const { gvk, name, namespace } = this;
    return { gvk, name, namespace, clusterScoped: isClusterScoped(gvk) };
  }

  get originalId(): ResId {
    return this.previousIds[0] ?? this.id;
  }

  /** Earlier names, as if its API version had always been that of now. */
  get previousIds(): readonly ResId[] {
    if (this.previous.length === 0) return this.previous;
    const { group, version } = this.gvk;
    return this.previous.map((id) => ({ ...id, gvk: { group, version, kind: id.gvk.kind } }));
  }

  /** Remembers the present name, which is about to change. */
  keepId(): void {
    const { id } = this;
    this.previous.push({ ...id, namespace: effectiveNamespace(id), clusterScoped: false });
  }

  toJson(): Json {
    try {
      return toJson(this.node);
    } catch (error) {
      if (error instanceof DuplicateField) throw new BuildFailure(duplicates(this.node));
      throw error;
    }
  }

  /** With what the build remembers of it among its annotations: how messages show it. */
  withNotes(): Resource {
    const { previous, prefixes, suffixes, needsHash, behavior } = this;
    const texts: readonly (readonly [(typeof NOTES)[number], string])[] = [
      ["needsHashSuffix", needsHash ? "enabled" : ""],
      ["generatorBehavior", this.generated ? behavior : ""],
      ["previousKinds", previous.map(({ gvk }) => gvk.kind).join(",")],
      ["previousNames", previous.map(({ name }) => name).join(",")],
      ["previousNamespaces", previous.map(({ namespace }) => namespace).join(",")],
      ["prefixes", prefixes.join(",")],
      ["suffixes", suffixes.join(",")],
    ];
    const copy = this.copy();
    const notes = texts.filter(([, text]) => text !== "");
    const named = notes.map(([name, text]) => [NOTE + name, text] as const);
    if (notes.length > 0) copy.annotations = new Map([...copy.annotations, ...named]);
    return copy;
  }

  /** Takes the build's notes out of the annotations again. */
  dropNotes(): void {
    const left = [...this.annotations].filter(([name]) => !NOTES.some((note) => name === NOTE + note));
    if (left.length < this.annotations.size) this.annotations = new Map(left);
  }

  toYaml(): string {
    return toYaml(this.toJson());
  }
}

/** A map's texts, whatever type its values have. */
export function textMap(node: Node | undefined): ReadonlyMap<string, string> {
  return new Map(node?.pairs.map(({ key, value }) => [key.text, value.text]));
}

export function textNode(texts: ReadonlyMap<string, string>): Node {
  const sorted = [...texts].sort(([a], [b]) => (a < b ? -1 : 1));
  return Node.mapping(sorted.map(([key, value]) => [key, Node.text(value)]));
}

function duplicates(root: Node): string {
  const lines = fieldLines(root);
  const found: { readonly line: number; readonly text: string }[] = [];
  const walk = (node: Node): void => {
    const seen = new Map<string, number>();
    for (const pair of node.pairs) {
      const line = lines.get(pair) ?? 0;
      const name = pair.key.text;
      const first = seen.get(name);
      if (first === undefined) seen.set(name, line);
      else found.push({ line, text: `mapping key ${JSON.stringify(name)} already defined at line ${first}` });
      walk(pair.value);
    }
    for (const item of node.items) walk(item);
  };
  walk(root);
  return `yaml: unmarshal errors:${found.map(({ line, text }) => `\n  line ${line}: ${text}`).join("")}`;
}
