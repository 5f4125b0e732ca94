import { type Kind, type KubeObject, type Labels, valueAt } from "@boxship/api";
import { apiVersionIn, parseObject } from "./object-bytes.ts";

interface Selected {
  readonly paths: readonly string[];
  readonly labels: Labels | undefined;
  readonly fields: KubeObject;
}

/** An object as lists and watches have it: bytes, and what selectors look at once somebody has asked for it. */
export class CachedObject {
  readonly key: string;
  /** JSON, resourceVersion included. */
  readonly bytes: Buffer;
  /** The revision that last changed it. */
  readonly revision: number;
  readonly #keptAs: string | undefined;
  #selected: Selected | undefined;
  #source: KubeObject | undefined;

  /**
   * @param keptAs the apiVersion in which it lies in the store, @default its own
   * @param source what the bytes were made of, where that is at hand
   */
  constructor(key: string, bytes: Buffer, revision: number, keptAs?: string, source?: KubeObject) {
    this.#source = source;
    this.key = key;
    this.bytes = bytes;
    this.revision = revision;
    this.#keptAs = keptAs;
  }

  get apiVersion(): string {
    return apiVersionIn(this.bytes);
  }

  /** The apiVersion in which it lies in the store. */
  get keptAs(): string {
    return this.#keptAs ?? this.apiVersion;
  }

  /** It is kept for long: from now on it is its bytes alone. */
  forgetSource(): this {
    this.#source = undefined;
    return this;
  }

  /** A copy that the caller may change. */
  parse(): KubeObject {
    return parseObject(this.bytes);
  }

  /** Whether selectors can look at it without its bytes being read. */
  isSelectable(kind: Kind): boolean {
    return this.#selected?.paths === kind.selectableFields;
  }

  labels(kind: Kind): Labels | undefined {
    return this.#select(kind).labels;
  }

  /** An object that has what field selectors may name, and its metadata's name and namespace. */
  fields(kind: Kind): KubeObject {
    return this.#select(kind).fields;
  }

  #select({ selectableFields }: Kind): Selected {
    if (this.#selected?.paths === selectableFields) return this.#selected;
    const object = this.#source ?? this.parse();
    const { name, namespace, labels } = object.metadata;
    const fields = { metadata: { name, namespace } } as KubeObject;
    for (const path of selectableFields) copyField(object, fields, path.split("."));
    this.#selected = { paths: selectableFields, labels, fields };
    return this.#selected;
  }
}

function copyField(from: KubeObject, to: KubeObject, path: readonly string[]): void {
  const value = valueAt(from, ...path);
  if (value === undefined) return;
  let here: Record<string, unknown> = to;
  for (const field of path.slice(0, -1)) here = (here[field] ??= {}) as Record<string, unknown>;
  here[path.at(-1) ?? ""] = value;
}
