import { isBigInteger } from "./big-integer.ts";
import { isObject, type Json } from "./json.ts";

/** A value as Go prints it by `%v`. */
export function goText(value: Json): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (!isObject(value) || isBigInteger(value)) return String(value);
  const fields = Object.keys(value).sort();
  return `map[${fields.map((field) => `${field}:${goText(value[field] ?? null)}`).join(" ")}]`;
}

/** A value as Go prints it by `%#v`. */
export function goSyntax(value: Json): string {
  if (value === null) return "interface {}(nil)";
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (!isObject(value) || isBigInteger(value)) return String(value);
  const members = Object.keys(value)
    .sort()
    .map((field) => `${JSON.stringify(field)}:${goSyntax(value[field] ?? null)}`);
  return `map[string]interface {}{${members.join(", ")}}`;
}
