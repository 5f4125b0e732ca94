import { readFile } from "node:fs/promises";
import type { Json } from "@boxship/api";
import { numberText } from "@boxship/api/go-json";
import { alignTabs } from "@boxship/base";
import { sprint, valueOf } from "@boxship/template";
import { Refusal } from "../../failure.ts";
import { JsonPathTemplate, relaxedPath } from "../../print/jsonpath.ts";

export interface CustomColumns {
  readonly header: readonly string[];
  row(object: Json): readonly string[];
}

/** `NAME:.metadata.name,…` */
export function parseCustomColumns(spec: string): CustomColumns {
  if (spec === "") throw new Refusal("custom-columns format specified but no custom columns given");
  const columns = spec.split(",").map((part) => {
    const at = part.indexOf(":");
    if (at < 0) {
      throw new Refusal(`unexpected custom-columns spec: ${part}, expected <header>:<json-path-expr>`);
    }
    return { header: part.slice(0, at), path: relaxedPath(part.slice(at + 1)) };
  });
  return columnsOf(columns);
}

/** A file with headers in its first line and paths in its second. */
export async function readCustomColumns(path: string): Promise<CustomColumns> {
  if (path === "") throw new Refusal("custom-columns-file format specified but no custom columns given");
  const text = await readFile(path, "utf8").catch(() => {
    throw new Refusal(`error reading template ${path}, open ${path}: no such file or directory\n`);
  });
  const [headers = [], specs = []] = text.split("\n").map((line) => line.split(/\s+/).filter((word) => word !== ""));
  if (specs.length === 0) throw new Refusal("invalid template, missing spec line.");
  if (headers.length !== specs.length) {
    throw new Refusal(`number of headers (${headers.length}) and field specifications (${specs.length}) don't match`);
  }
  return columnsOf(headers.map((header, index) => ({ header, path: relaxedPath(specs[index] ?? "") })));
}

function columnsOf(columns: readonly { readonly header: string; readonly path: string }[]): CustomColumns {
  const templates = columns.map(({ path }) => new JsonPathTemplate(path));
  return {
    header: columns.map(({ header }) => header),
    row: (object) =>
      templates.map((template) => {
        const found = template.find(object).flat();
        return found.length === 0 ? "<none>" : found.map(goText).join(",");
      }),
  };
}

/** As Go's `fmt.Sprint`. */
function goText(value: Json): string {
  if (value === null) return "<nil>";
  if (typeof value === "number") return numberText(value);
  return typeof value === "object" ? sprint([valueOf(integers(value))]) : String(value);
}

/** Whole numbers are integers in Go. */
function integers(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(integers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, integers(item)]));
}

export function printCustomColumns(columns: CustomColumns, objects: readonly Json[], noHeaders: boolean): string {
  const rows = objects.map((object) => columns.row(object));
  const lines = (noHeaders ? rows : [columns.header, ...rows]).map((row) => `${row.join("\t")}\n`);
  return alignTabs(lines.join(""), { minWidth: 6, padding: 3 });
}
