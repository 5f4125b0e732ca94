import { InvalidArgument, ResourceExhausted } from "@boxship/base";
import { goJson, numberText } from "../object/go-json.ts";
import { getField, isObject, type Json } from "../object/json.ts";
import type { Filter, Node, Step } from "./nodes.ts";
import { parseTemplate } from "./parse-template.ts";

export interface JsonPathOptions {
  /** A field that is missing is no failure. @default true */
  readonly allowMissing?: boolean;
  /** Values that may be looked at on the way to what is found. @default any number */
  readonly most?: number;
}

/** kubectl's template of paths: `{.items[*].metadata.name}{"\n"}`. */
export class JsonPathTemplate {
  readonly #nodes: readonly Node[];
  readonly #allowMissing: boolean;
  readonly #most: number;
  #seen = 0;

  /** @throws InvalidArgument */
  constructor(text: string, { allowMissing = true, most = Number.POSITIVE_INFINITY }: JsonPathOptions = {}) {
    this.#nodes = parseTemplate(text);
    this.#allowMissing = allowMissing;
    this.#most = most;
  }

  /** What each part of the template leads to. @throws InvalidArgument, ResourceExhausted */
  find(value: Json): readonly (readonly Json[])[] {
    const parts: (readonly Json[])[] = [];
    this.#seen = 0;
    this.#run(this.#nodes, value, value, (found) => parts.push(found));
    return parts;
  }

  print(value: Json): string {
    return this.find(value)
      .map((found) => found.map(jsonPathText).join(" "))
      .join("");
  }

  #run(nodes: readonly Node[], root: Json, here: Json, emit: (found: readonly Json[]) => void): void {
    for (const node of nodes) {
      if (node.kind === "text") emit([node.text]);
      else if (node.kind === "path") emit(this.#follow(node.steps, root, here));
      else {
        const items = this.#follow(node.steps, root, here);
        for (const item of items) this.#run(node.body, root, item, emit);
      }
    }
  }

  #follow(steps: readonly Step[], root: Json, here: Json): readonly Json[] {
    let found: readonly Json[] = [here];
    for (const step of steps) {
      if (step.kind === "root") found = [root];
      else if (step.kind !== "current") found = found.flatMap((one) => this.#take(step, root, one));
      this.#count(found.length);
    }
    return found;
  }

  #take(step: Step, root: Json, value: Json): readonly Json[] {
    switch (step.kind) {
      case "field":
        return this.#field(step.name, value);
      case "slice":
        return this.#slice(step.from, step.to, step.by, value);
      case "wildcard":
        return childrenOf(value);
      case "recursive":
        return this.#descend(value);
      case "union":
        return step.paths.flatMap((steps) => this.#follow(steps, root, value));
      case "filter":
        return childrenOfList(value).filter((item) => this.#holds(step.filter, root, item));
      case "literal":
        return [step.value];
      default:
        return [value];
    }
  }

  #count(values: number): void {
    this.#seen += values;
    if (this.#seen > this.#most) throw new ResourceExhausted("the JSON path leads through too many values");
  }

  #field(name: string, value: Json): readonly Json[] {
    if (value === null) return [];
    const found = isObject(value) ? getField(value, name) : undefined;
    if (found !== undefined) return [found];
    if (this.#allowMissing) return [];
    throw new InvalidArgument(`${name} is not found`);
  }

  #descend(value: Json): readonly Json[] {
    if (typeof value !== "object" || value === null) return [];
    this.#count(1);
    return [value, ...childrenOf(value).flatMap((one) => this.#descend(one))];
  }

  #slice(from: number | undefined, to: number | undefined, by: number, value: Json): readonly Json[] {
    if (value === null) return [];
    if (!Array.isArray(value)) {
      if (this.#allowMissing && value === undefined) return [];
      throw new InvalidArgument(`${goTypeOf(value)} is not array or slice`);
    }
    const single = from !== undefined && to === undefined && by === 0;
    if (single) {
      const at = from < 0 ? value.length + from : from;
      if (at >= 0 && at < value.length) return [value[at] ?? null];
      if (this.#allowMissing) return [];
      throw new InvalidArgument(`array index out of bounds: index ${from}, length ${value.length}`);
    }
    const place = (index: number): number =>
      Math.min(Math.max(index < 0 ? value.length + index : index, 0), value.length);
    const found: Json[] = [];
    for (let at = place(from ?? 0); at < place(to ?? value.length); at += by || 1) found.push(value[at] ?? null);
    return found;
  }

  #holds({ left, operator, right }: Filter, root: Json, item: Json): boolean {
    const one = this.#quietly(left, root, item);
    if (operator === "exists") return one.length > 0;
    const other = this.#quietly(right, root, item);
    if (one.length === 0 || other.length === 0) return false;
    if (one.length > 1 || other.length > 1) throw new InvalidArgument("can only compare one element at a time");
    const [a, b] = [one[0] ?? null, other[0] ?? null];
    switch (operator) {
      case "==":
        return a === b;
      case "!=":
        return a !== b;
      case "<":
        return a !== null && b !== null && a < b;
      case "<=":
        return a !== null && b !== null && a <= b;
      case ">":
        return a !== null && b !== null && a > b;
      case ">=":
        return a !== null && b !== null && a >= b;
    }
  }

  #quietly(steps: readonly Step[], root: Json, item: Json): readonly Json[] {
    try {
      return this.#follow(steps, root, item);
    } catch (error) {
      if (error instanceof ResourceExhausted) throw error;
      return [];
    }
  }
}

const childrenOf = (value: Json): readonly Json[] => {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return [];
  return Object.keys(value)
    .sort()
    .map((field) => value[field] ?? null);
};

const childrenOfList = (value: Json): readonly Json[] => {
  if (Array.isArray(value)) return value;
  throw new InvalidArgument(`${goTypeOf(value)} is not array or slice and cannot be filtered`);
};

const goTypeOf = (value: Json): string =>
  isObject(value) ? "map[string]interface {}" : Array.isArray(value) ? "[]interface {}" : typeof value;

/** A value as kubectl prints it. */
export function jsonPathText(value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  return value === null ? "" : goJson(value);
}
