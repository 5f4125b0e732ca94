import type { Json } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { CORE_SCHEMA, load } from "js-yaml";
import { Refusal } from "../failure.ts";

/** Values that aliases may add up to. */
const MOST_VALUES = 500_000;

/** The documents of a text, YAML or JSON one after the other. Empty ones are left out. */
export function parseDocuments(text: string): readonly Json[] {
  if (/^\s*\{/.test(text)) {
    const json = parseJsonStream(text);
    if (json !== undefined) return json;
  }
  return text
    .split(/^---(?=\s|$)[^\n]*\n?/m)
    .map(parseOne)
    .filter((value) => value !== null);
}

/** YAML 1.1's words for true and false, which the usual parser takes as text. */
function parseOne(text: string): Json {
  let value: Json;
  try {
    value = (load(text, { schema: CORE_SCHEMA }) ?? null) as Json;
  } catch (error) {
    if (!/\S/.test(text.replace(/^\s*#.*$/gm, ""))) return null;
    const { mark } = error as { mark?: { line: number } };
    const reason =
      errorMessage(error)
        .split("\n")[0]
        ?.replace(/ \(\d+:\d+\)$/, "") ?? "";
    const line = mark === undefined ? "" : `line ${mark.line + 1}: `;
    throw new Refusal(`error converting YAML to JSON: yaml: ${line}${reason}`);
  }
  checkSize(value);
  return value;
}

function checkSize(value: Json): void {
  let seen = 0;
  const walk = (one: Json | undefined, depth: number): void => {
    if (++seen > MOST_VALUES || depth > 1000) throw new Refusal("yaml: document contains excessive aliasing");
    if (typeof one !== "object" || one === null) return;
    for (const item of Object.values(one)) walk(item, depth + 1);
  };
  walk(value, 0);
}

/** JSON values one after the other; undefined where it is no such text. */
function parseJsonStream(text: string): readonly Json[] | undefined {
  try {
    return [JSON.parse(text) as Json];
  } catch {
    // Perhaps several.
  }
  const values: Json[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:\\.|[^"\\])*"|[{}]/g)) {
    if (token === "{" && depth++ === 0) start = index;
    if (token !== "}" || --depth > 0) continue;
    try {
      values.push(JSON.parse(text.slice(start, index + 1)) as Json);
    } catch {
      return undefined;
    }
  }
  return depth === 0 ? values : undefined;
}
