import { goJson } from "@boxship/api/go-json";
import { BuildFailure } from "../failure.ts";
import { findAll, lookUp } from "../fields/paths.ts";
import { emitYaml } from "../yaml/emit.ts";
import type { Kind, Node } from "../yaml/node.ts";
import { parseYaml } from "../yaml/parse.ts";
import { toJson } from "../yaml/to-json.ts";

/**
 * Replaces a field inside of a text that is itself JSON or YAML: the path goes on where the text stands.
 *
 * @returns false where there is no such text, or no such field in it
 */
export function replaceInText(target: Node, value: Node, path: readonly string[], create: Kind | undefined): boolean {
  try {
    return replaceWithin(target, value, path, create);
  } catch (error) {
    if (error instanceof BuildFailure) return false;
    throw error;
  }
}

function replaceWithin(target: Node, value: Node, path: readonly string[], create: Kind | undefined): boolean {
  for (let length = 1; length < path.length; length++) {
    const holder = tryLookUp(target, path.slice(0, length));
    if (holder === undefined || holder.kind !== "scalar") continue;
    const data = tryParse(holder.text);
    if (data === undefined) continue;
    const fields = findAll(data, path.slice(length), create);
    if (fields.length === 0) return false;
    for (const field of fields) {
      if (field.kind === "scalar") field.text = value.text;
      else field.become(value.copy());
    }
    holder.text = write(data, holder.text);
    return true;
  }
  return false;
}

function tryLookUp(target: Node, path: readonly string[]): Node | undefined {
  try {
    return lookUp(target, path);
  } catch (error) {
    if (error instanceof BuildFailure) return undefined;
    throw error;
  }
}

function tryParse(text: string): Node | undefined {
  try {
    return parseYaml(text);
  } catch (error) {
    if (error instanceof BuildFailure) return undefined;
    throw error;
  }
}

/** In the form that the text had. */
function write(data: Node, before: string): string {
  const first = before.trim()[0];
  if (first !== "{" && first !== "[") return emitYaml(data).trim();
  return goJson(toJson(data), before.includes("\n") && before.includes("  ") ? "  " : "");
}
