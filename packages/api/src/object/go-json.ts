import { isBigInteger } from "./big-integer.ts";
import type { Json } from "./json.ts";

/** JSON as Go writes it: fields by name, `<`, `>` and `&` escaped, at most one value a line when indented. */
export function goJson(value: Json | undefined, indent = ""): string {
  return write(value, indent, indent === "" ? "" : "\n", true);
}

/** The same of what Go has a struct for: fields stay in their order. */
export function structJson(value: Json, indent: string): string {
  return write(value, indent, indent === "" ? "" : "\n", false);
}

function write(value: Json | undefined, indent: string, newline: string, sorted: boolean): string {
  if (typeof value === "string") return quoteJson(value);
  if (typeof value === "number") return numberText(value);
  if (isBigInteger(value)) return value.toString();
  if (typeof value !== "object" || value === null) return String(value ?? null);
  const below = newline === "" ? "" : `${newline}${indent}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[${value.map((item) => `${below}${write(item, indent, below, sorted)}`).join(",")}${newline}]`;
  }
  const fields = Object.keys(value).filter((field) => value[field] !== undefined);
  if (sorted) fields.sort();
  if (fields.length === 0) return "{}";
  const colon = newline === "" ? ":" : ": ";
  const members = fields.map(
    (field) => `${below}${quoteJson(field)}${colon}${write(value[field], indent, below, sorted)}`,
  );
  return `{${members.join(",")}${newline}}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

export function quoteJson(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[<>&\u2028\u2029]/g, (sign) => ESCAPES[sign] ?? sign);
}

export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-6 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
