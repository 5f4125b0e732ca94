import { getField, isObject, type Json } from "@boxship/api";
import { goJson, numberText } from "@boxship/api/go-json";
import { Refusal } from "../failure.ts";
import type { Filter, Node, Step } from "./jsonpath-nodes.ts";
import { parseTemplate } from "./jsonpath-parse.ts";

export interface JsonPathOptions {
  /** A field that is missing is no failure. @default true */
  readonly allowMissing?: boolean;
}

/** kubectl's template of paths: `{.items[*].metadata.name}{"\n"}`. */
export class JsonPathTemplate {
  readonly #nodes: readonly Node[];
  readonly #allowMissing: boolean;

  constructor(text: string, { allowMissing = true }: JsonPathOptions = {}) {
    this.#nodes = parseTemplate(text);
    this.#allowMissing = allowMissing;
  }

  /** What each part of the template leads to. @throws Refusal */
  find(value: Json): readonly (readonly Json[])[] {
    const parts: (readonly Json[])[] = [];
    this.#run(this.#nodes, value, value, (found) => parts.push(found));
    return parts;
  }

  print(value: Json): string {
    return this.find(value)
      .map((found) => found.map(textOf).join(" "))
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
        return descend(value);
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

  #field(name: string, value: Json): readonly Json[] {
    if (value === null) return [];
    const found = isObject(value) ? getField(value, name) : undefined;
    if (found !== undefined) return [found];
    if (this.#allowMissing) return [];
    throw new Refusal(`${name} is not found`);
  }

  #slice(from: number | undefined, to: number | undefined, by: number, value: Json): readonly Json[] {
    if (value === null) return [];
    if (!Array.isArray(value)) {
      if (this.#allowMissing && value === undefined) return [];
      throw new Refusal(`${goTypeOf(value)} is not array or slice`);
    }
    const single = from !== undefined && to === undefined && by === 0;
    if (single) {
      const at = from < 0 ? value.length + from : from;
      if (at >= 0 && at < value.length) return [value[at] ?? null];
      if (this.#allowMissing) return [];
      throw new Refusal(`array index out of bounds: index ${from}, length ${value.length}`);
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
    if (one.length > 1 || other.length > 1) throw new Refusal("can only compare one element at a time");
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
    } catch {
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
  throw new Refusal(`${goTypeOf(value)} is not array or slice and cannot be filtered`);
};

function descend(value: Json): readonly Json[] {
  if (typeof value !== "object" || value === null) return [];
  return [value, ...childrenOf(value).flatMap(descend)];
}

const goTypeOf = (value: Json): string =>
  isObject(value) ? "map[string]interface {}" : Array.isArray(value) ? "[]interface {}" : typeof value;

function textOf(value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  return value === null ? "" : goJson(value);
}

/** `.metadata.name`, `{.metadata.name}` and `metadata.name` are one and the same. */
export function relaxedPath(text: string): string {
  if (text === "") return text;
  const inner = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/.exec(text);
  const path = inner?.[1] ?? inner?.[2];
  if (path !== undefined) return `{.${path}}`;
  throw new Refusal(
    `unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`,
  );
}
