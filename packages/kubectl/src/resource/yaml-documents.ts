import type { Json } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { errorMessage } from "@boxship/base";
import { Refusal } from "../failure.ts";

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

function parseOne(text: string): Json {
  try {
    return loadYaml(text);
  } catch (error) {
    throw new Refusal(`error converting YAML to JSON: ${errorMessage(error)}`);
  }
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
