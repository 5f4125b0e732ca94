import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The part of the program that holds what Kubernetes' kinds and fields are for. */
export const descriptionsPart = "kubernetes-descriptions";

const models = "node_modules/@kubernetes/client-node/dist/gen/models";
const table = "packages/api/src/tables/definitions.json";

const aComment = /\/\*\*\n((?:\s*\*(?!\/).*\n)+?)\s*\*\/\n\s*(?:export declare class (\w+)|'([^']+)'\??:)/g;

/**
 * Upstream's own words about its kinds and their fields, as JSON: by definition, and in there by field, the definition's
 * own under the empty name. They are upstream's, and no part of this repository: each build takes them out of the
 * declarations of its client for JavaScript. Newlines in them are spaces there already.
 *
 * @returns undefined in a tree that has no API, or where the client is not installed
 */
export function kubernetesDescriptions(root: string): string | undefined {
  if (!existsSync(join(root, table)) || !existsSync(join(root, models))) return undefined;
  const files = new Set(readdirSync(join(root, models)).filter((name) => name.endsWith(".d.ts")));
  const definitions = Object.keys(JSON.parse(readFileSync(join(root, table), "utf8")) as object);
  const found: Record<string, Record<string, string>> = {};
  for (const definition of definitions) {
    const file = fileNames(definition).find((name) => files.has(name));
    if (file !== undefined) found[definition] = wordsIn(readFileSync(join(root, models, file), "utf8"));
  }
  return JSON.stringify(found);
}

/** `core.v1.Event` is in `CoreV1Event.d.ts`, where several groups have one, or else in `V1Event.d.ts`. */
function fileNames(definition: string): readonly string[] {
  const [group = "", version = "", name = ""] = definition.split(".");
  const [long, short] = [upper(group) + upper(version) + name, upper(version) + name];
  return [`${long}.d.ts`, `${short}.d.ts`];
}

const upper = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

function wordsIn(source: string): Record<string, string> {
  const words: Record<string, string> = {};
  for (const [, comment = "", declared, field = ""] of source.matchAll(aComment)) {
    const text = comment
      .split("\n")
      .map((line) => line.replace(/^\s*\*\s?/, ""))
      .join(" ")
      .trim();
    // The generator escapes quotes, and puts a line under names that JavaScript has for itself.
    const name = field.startsWith("x_") ? field.replaceAll("_", "-") : field.replace(/^_(?=[a-z$])/, "");
    words[declared === undefined ? name : ""] = text.replace(/\\(['"`])/g, "$1");
  }
  return words;
}
