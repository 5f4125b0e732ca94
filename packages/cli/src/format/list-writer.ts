import { errorMessage } from "@boxship/base/errors";
import { headerFunctions, Template, templateFunctions } from "@boxship/template";
import { Failure } from "../failure.ts";
import { headerValue, type RowType, rowValues, type View } from "./row.ts";
import { alignTabs } from "./tab-writer.ts";

/** `--format` of a list: `table`, `json`, a template, or `table` and a template. */
export interface ListFormat {
  /** The template; empty for the list's own table. */
  readonly text: string;
  readonly table: boolean;
}

/** The template of a format: backslash escapes resolved, `json` spelled out. */
export function listFormat(source: string): ListFormat {
  const table = source.startsWith("table");
  const text = source === "json" ? "{{json .}}" : table ? source.slice("table".length) : source;
  return {
    table,
    text: text
      .replace(/^ +| +$/g, "")
      .replaceAll("\\t", "\t")
      .replaceAll("\\n", "\n"),
  };
}

function compile(text: string, functions: typeof templateFunctions, problem: string): Template {
  try {
    return new Template("", { functions }).parse(text);
  } catch (error) {
    throw new Failure(`${problem}: ${errorMessage(error)}`, { cause: error });
  }
}

/** Prints rows as the format says. @throws Failure with the template's own words */
export function formatRows<T>(type: RowType<T>, rows: readonly T[], source: string, view: View): string {
  const { table, text } = listFormat(source);
  const template = compile(text, templateFunctions, "template parsing error");
  const valueOfRow = rowValues(type);
  let output = "";
  try {
    for (const row of rows) output += `${template.execute(valueOfRow(row, view))}\n`;
  } catch (error) {
    throw new Failure(`template parsing error: ${errorMessage(error)}`, { cause: error });
  }
  if (!table) return output;
  const header = compile(text, headerFunctions, "template parsing error").execute(headerValue(type));
  return alignTabs(`${header}\n${output}`);
}

/**
 * Columns that a format reads, found out with a row that has nothing in it.
 *
 * @throws Failure when the format cannot be used on such rows
 */
export function columnsOf<T>(type: RowType<T>, empty: T, source: string, view: View): ReadonlySet<string> {
  const { text } = listFormat(source);
  const template = compile(text, templateFunctions, "failed to parse template");
  const used = new Set<string>();
  try {
    template.execute(rowValues(type)(empty, view, used));
  } catch (error) {
    throw new Failure(`failed to execute template: ${errorMessage(error)}`, { cause: error });
  }
  return used;
}
