import { isObject, type Json } from "@boxship/api";
import { numberText } from "@boxship/api/go-json";
import { compareKeys, isPlainText } from "@boxship/api/yaml";

/** A value as KYAML: YAML in braces, with commas after every item and quotes around every text. */
export function toKyaml(value: Json): string {
  return `---\n${write(value, "")}\n`;
}

function write(value: Json | undefined, indent: string): string {
  const below = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const nested = value.every(
      (item) => (isObject(item) && Object.keys(item).length > 0) || (Array.isArray(item) && item.length > 0),
    );
    if (nested) return `[${value.map((item) => write(item, indent)).join(", ")}]`;
    return `[\n${value.map((item) => `${below}${write(item, below)},\n`).join("")}${indent}]`;
  }
  if (isObject(value)) {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    if (keys.length === 0) return "{}";
    const members = keys.sort(compareKeys).map((key) => `${below}${keyText(key)}: ${write(value[key], below)},\n`);
    return `{\n${members.join("")}${indent}}`;
  }
  if (typeof value === "string") return textOf(value, indent);
  return typeof value === "number" ? numberText(value) : String(value ?? null);
}

const keyText = (key: string): string =>
  /^[A-Za-z_][\w./-]*$/.test(key) && isPlainText(key) && !/^[tf]$/i.test(key) ? key : JSON.stringify(key);

/** Lines of a text stand below each other, joined by backslashes. */
function textOf(text: string, indent: string): string {
  if (!text.includes("\n")) return JSON.stringify(text);
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  const escaped = (line: string): string => JSON.stringify(line).slice(1, -1);
  const inner = lines.map((line) => `${indent}   ${escaped(line)}\\n\\\n`).join("");
  return `"\\\n${inner}${last === "" ? `${indent}  ` : `${indent}   ${escaped(last)}`}"`;
}
