import {
  boolOf,
  elementsOf,
  entriesOf,
  indirect,
  intOf,
  isFloat,
  isSigned,
  isUnsigned,
  type MaybeValue,
  textOfValue,
  type Value,
  valueOf,
} from "@boxship/template";
import { parse } from "smol-toml";

/** What a table holds that is neither a table nor a list of tables; those stand behind. */
const isTable = (value: MaybeValue): boolean => {
  const { kind } = value?.type ?? {};
  return kind === "map" || kind === "struct";
};

const strip = (given: MaybeValue): MaybeValue => {
  const { value, nil } = indirect(given);
  return nil ? undefined : value;
};

const isTableList = (value: MaybeValue): boolean => {
  if (value?.type.kind !== "slice") return false;
  const items = elementsOf(value).map(strip);
  return items.length > 0 && items.every(isTable);
};

function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quoted(key);
}

const quoted = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- TOML has control characters escaped
  `"${text.replace(/["\\\x00-\x1f\x7f]/g, (sign) => ESCAPES[sign] ?? `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`)}"`;

const ESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

function floatText(number: number): string {
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number < 0 ? "-inf" : "+inf";
  const size = Math.abs(number);
  const text =
    size === 0 || (size >= 1e-5 && size < 1e21)
      ? String(number)
      : number.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function inline(given: MaybeValue): string {
  const value = strip(given);
  if (value === undefined) throw new Error("toml: cannot encode array with nil element");
  const { kind } = value.type;
  if (kind === "string") return quoted(textOfValue(value));
  if (kind === "bool") return String(boolOf(value));
  if (isFloat(kind)) return floatText(Number(value.raw));
  if (isSigned(kind) || isUnsigned(kind)) return String(intOf(value));
  if (kind === "slice") return `[${elementsOf(value).map(inline).join(", ")}]`;
  if (kind === "map") {
    return `{${entriesOf(value)
      .map(([key, item]) => `${keyText(textOfValue(key))} = ${inline(item)}`)
      .join(", ")}}`;
  }
  throw new Error(`unsupported type: ${value.type.name}`);
}

interface Writer {
  readonly lines: string[];
}

function writeTable(writer: Writer, table: Value, path: readonly string[]): void {
  const entries = entriesOf(table)
    .map(([key, item]) => [textOfValue(key), strip(item)] as const)
    // What is nothing has no place in TOML.
    .filter(([, item]) => item !== undefined);
  const indent = "  ".repeat(path.length);
  for (const [key, item] of entries) {
    if (!isTable(item) && !isTableList(item)) writer.lines.push(`${indent}${keyText(key)} = ${inline(item)}`);
  }
  for (const [key, item] of entries) {
    const below = [...path, keyText(key)];
    const outer = "  ".repeat(path.length);
    if (item !== undefined && isTable(item)) {
      startTable(writer, path);
      writer.lines.push(`${outer}[${below.join(".")}]`);
      writeTable(writer, item, below);
    } else if (item !== undefined && isTableList(item)) {
      for (const one of elementsOf(item).map(strip)) {
        startTable(writer, path);
        writer.lines.push(`${outer}[[${below.join(".")}]]`);
        if (one !== undefined) writeTable(writer, one, below);
      }
    }
  }
}

/** Tables of the first level have an empty line before them. */
function startTable(writer: Writer, path: readonly string[]): void {
  if (path.length === 0 && writer.lines.length > 0) writer.lines.push("");
}

/** A map as TOML: values first, then tables, each by name. @throws Error for what TOML cannot hold */
export function writeToml(table: unknown): string {
  const value = strip(valueOf(table));
  if (value === undefined || !isTable(value)) throw new Error("toml: top-level values must be Go maps or structs");
  const writer = { lines: [] };
  writeTable(writer, value, []);
  return writer.lines.length === 0 ? "" : `${writer.lines.join("\n")}\n`;
}

/** @throws Error for what is no TOML */
export function readToml(text: string): unknown {
  return plain(parse(text, { integersAsBigInt: true }));
}

/** Times are texts; integers are Go's. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
