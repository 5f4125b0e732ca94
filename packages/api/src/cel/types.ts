import { typeName, type Value } from "./values.ts";

/** A type as the checker sees it. */
export type CelType =
  | { readonly kind: "dyn" }
  /** `int`, `string`, `google.protobuf.Timestamp`, `kubernetes.Quantity`, … */
  | { readonly kind: "simple"; readonly name: string }
  | { readonly kind: "list"; readonly item: CelType }
  | { readonly kind: "map"; readonly key: CelType; readonly value: CelType }
  | { readonly kind: "optional"; readonly value: CelType }
  /** Of a schema: these fields and no others. */
  | { readonly kind: "object"; readonly name: string; readonly fields: ReadonlyMap<string, CelType> }
  /** Of a function: whichever it is, the same everywhere. */
  | { readonly kind: "param"; readonly name: string };

export const DYN: CelType = { kind: "dyn" };
export const simple = (name: string): CelType => ({ kind: "simple", name });
export const BOOL = simple("bool");
export const INT = simple("int");
export const STRING = simple("string");
export const listOf = (item: CelType): CelType => ({ kind: "list", item });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: "map", key, value });
export const optionalOf = (value: CelType): CelType => ({ kind: "optional", value });

const ALIASES: Readonly<Record<string, string>> = {
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  null: "null_type",
};

/** Reads `list<string>`, `map<string, A>`, `optional<A>`, `int`, …; a single capital is a parameter. */
export function parseType(text: string): CelType {
  const inner = /^(?<outer>list|map|optional)<(?<inside>.*)>$/.exec(text)?.groups;
  if (inner !== undefined) {
    const parts = splitTop(inner["inside"] ?? "");
    const [first = DYN, second = DYN] = parts.map((part) => parseType(part));
    if (inner["outer"] === "list") return listOf(first);
    return inner["outer"] === "map" ? mapOf(first, second) : optionalOf(first);
  }
  if (text === "dyn") return DYN;
  if (text === "list") return listOf(DYN);
  if (text === "map") return mapOf(DYN, DYN);
  if (/^[A-Z]$/.test(text)) return { kind: "param", name: text };
  return simple(ALIASES[text] ?? text);
}

/** Parts between commas that are in no brackets. */
export function splitTop(text: string): readonly string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at <= text.length; at++) {
    const letter = text[at];
    if (letter === "<") depth++;
    else if (letter === ">") depth--;
    else if ((letter === "," && depth === 0) || at === text.length) {
      const part = text.slice(start, at).trim();
      if (part !== "") parts.push(part);
      start = at + 1;
    }
  }
  return parts;
}

export function show(type: CelType): string {
  switch (type.kind) {
    case "dyn":
      return "dyn";
    case "list":
      return `list(${show(type.item)})`;
    case "map":
      return `map(${show(type.key)}, ${show(type.value)})`;
    case "optional":
      return `optional_type(${show(type.value)})`;
    default:
      return type.name;
  }
}

/** Whether a value of `from` may stand where one of `to` is wanted; parameters take what they get first. */
export function assignable(
  to: CelType,
  from: CelType,
  bound: Map<string, CelType> = new Map<string, CelType>(),
): boolean {
  if (to.kind === "param") {
    const known = bound.get(to.name);
    if (known !== undefined && known.kind !== "dyn") return assignable(known, from, bound);
    bound.set(to.name, from);
    return true;
  }
  if (to.kind === "dyn" || from.kind === "dyn") return true;
  if (to.kind === "object" || from.kind === "object") {
    if (to.kind === "object" && from.kind === "object") return to.name === from.name;
    return to.kind === "map" || isNull(to) || isNull(from);
  }
  // Lists, maps and scalars of a schema may be null.
  if (isNull(from) || isNull(to)) return isNull(from) === isNull(to) || to.kind !== "simple";
  switch (to.kind) {
    case "list":
      return from.kind === "list" && assignable(to.item, from.item, bound);
    case "map":
      return from.kind === "map" && assignable(to.key, from.key, bound) && assignable(to.value, from.value, bound);
    case "optional":
      return from.kind === "optional" && assignable(to.value, from.value, bound);
    case "simple":
      return from.kind === "simple" && from.name === to.name;
  }
}

const isNull = (type: CelType): boolean => type.kind === "simple" && type.name === "null_type";

/** A type with its parameters filled in. */
export function substitute(type: CelType, bound: ReadonlyMap<string, CelType>): CelType {
  switch (type.kind) {
    case "param":
      return bound.get(type.name) ?? DYN;
    case "list":
      return listOf(substitute(type.item, bound));
    case "map":
      return mapOf(substitute(type.key, bound), substitute(type.value, bound));
    case "optional":
      return optionalOf(substitute(type.value, bound));
    default:
      return type;
  }
}

/** The one type of both; dyn where there is none. */
export function join(left: CelType, right: CelType): CelType {
  if (left.kind === "dyn" || right.kind === "dyn") return DYN;
  if (isNull(left)) return right;
  if (isNull(right)) return left;
  return assignable(left, right) && assignable(right, left) ? left : DYN;
}

/** Whether a value is of a type, as far as the outermost goes. */
export function isOf(type: CelType, value: Value): boolean {
  switch (type.kind) {
    case "dyn":
    case "param":
      return true;
    case "list":
      return Array.isArray(value);
    case "map":
    case "object":
      return value instanceof Map;
    case "optional":
      return typeName(value) === "optional_type";
    case "simple":
      return typeName(value) === type.name;
  }
}
