import { getField, isObject, type Json } from "../object/json.ts";

type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly string[]; readonly equal: boolean; readonly value: Json };

/** A simple JSON path, as CRDs have them: `.a.b`, `['x']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. */
export interface JsonPath {
  /** All that the path leads to. */
  find(value: Json): readonly Json[];
}

const STEP =
  /\.(?<field>(?:\\.|[^.[\\])+)|\[(?<index>-?\d+)\]|\[(?<all>\*)\]|\['(?<quoted>(?:\\.|[^'\\])*)'\]|\[\?\(\s*@\.(?<path>[\w.\\/-]+)\s*(?<operator>==|!=)\s*(?<value>"[^"]*"|'[^']*'|[^)\s]+)\s*\)\]/y;

/** @returns undefined for a path of another form */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const groups = STEP.exec(text)?.groups;
    if (groups === undefined) return undefined;
    steps.push(stepOf(groups));
  }
  return { find: (value) => follow(steps, value) };
}

const plain = (text: string): string => text.replace(/\\(.)/g, "$1");

function stepOf(groups: Readonly<Record<string, string | undefined>>): Step {
  const { field, index, all, quoted, path, operator, value } = groups;
  if (field !== undefined) return field === "*" ? { kind: "all" } : { kind: "field", name: plain(field) };
  if (quoted !== undefined) return { kind: "field", name: plain(quoted) };
  if (index !== undefined) return { kind: "index", index: Number(index) };
  if (all !== undefined) return { kind: "all" };
  return { kind: "filter", path: (path ?? "").split("."), equal: operator === "==", value: literal(value ?? "") };
}

function literal(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function follow(steps: readonly Step[], value: Json): readonly Json[] {
  let found: readonly Json[] = [value];
  for (const step of steps) found = found.flatMap((one) => take(step, one));
  return found;
}

function take(step: Step, value: Json): readonly Json[] {
  switch (step.kind) {
    case "field": {
      const below = isObject(value) ? getField(value, step.name) : undefined;
      return below === undefined ? [] : [below];
    }
    case "index": {
      const item = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case "all":
      return typeof value === "object" && value !== null ? Object.values(value).filter((one) => one !== undefined) : [];
    case "filter":
      return Array.isArray(value) ? value.filter((item) => (leaf(item, step.path) === step.value) === step.equal) : [];
  }
}

function leaf(value: Json, path: readonly string[]): Json | undefined {
  let here: Json | undefined = value;
  for (const field of path) here = isObject(here) ? getField(here, field) : undefined;
  return here;
}
