import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { dump, load } from "js-yaml";

const LISTS = ["clusters", "users", "contexts"] as const;

export interface MergeOptions {
  /**
   * Whether the current context is the added one, also where another was chosen.
   *
   * @default only where the added one is new, or the one that was chosen is not there
   */
  readonly makeCurrent?: boolean;
}

/**
 * A kubeconfig with the entries of another one, in place of those of the same names, and its current context. What somebody has
 * chosen beside in a context, like its namespace, stays.
 *
 * @param into YAML or JSON; empty for none yet
 * @param name of the file, for messages
 * @returns `into` itself where nothing changes; otherwise JSON where that was, else YAML, without the comments that were there
 * @throws InvalidArgument for what is no kubeconfig
 */
export function mergeKubeconfig(into: string, from: string, name: string, options: MergeOptions = {}): string {
  const added = parse(from, "the cluster's own");
  const there = parse(into, name);
  const merged: JsonObject = { apiVersion: "v1", kind: "Config", ...there };
  for (const list of LISTS) {
    const own = new Map(listAt(added, list).map((one) => [textAt(one, "name"), one]));
    const before = listAt(there, list).map((one) => {
      const mine = own.get(textAt(one, "name"));
      if (mine === undefined) return one;
      own.delete(textAt(one, "name"));
      if (list !== "contexts" || !isObject(mine)) return mine;
      return { ...mine, context: { ...objectAt(one, "context"), ...objectAt(mine, "context") } };
    });
    merged[list] = [...before, ...own.values()];
  }
  const ours = textAt(added, "current-context");
  const names = new Set(listAt(there, "contexts").map((one) => textAt(one, "name")));
  const isChosen = names.has(ours) && names.has(textAt(there, "current-context"));
  if (options.makeCurrent === true || !isChosen) merged["current-context"] = ours;
  return written(merged, there, into);
}

/**
 * A kubeconfig without the entries of another one.
 *
 * @returns empty where no entry is left; `from` itself where it has none of them
 * @throws InvalidArgument for what is no kubeconfig
 */
export function takeFromKubeconfig(from: string, entry: string, name: string): string {
  const there = parse(from, name);
  const left: JsonObject = { ...there };
  const gone = { clusters: entry, users: `${entry}-admin`, contexts: entry };
  for (const list of LISTS) {
    if (list in there) left[list] = listAt(there, list).filter((one) => textAt(one, "name") !== gone[list]);
  }
  if (LISTS.every((list) => listAt(left, list).length === 0)) return "";
  if (textAt(there, "current-context") === entry) left["current-context"] = "";
  return written(left, there, from);
}

function objectAt(from: Json, field: string): JsonObject {
  const value = valueAt(from, field);
  return isObject(value) ? value : {};
}

/** In the form that was there, untouched where it says the same. */
function written(config: JsonObject, there: JsonObject, text: string): string {
  if (isDeepStrictEqual(config, there)) return text;
  return text.trimStart().startsWith("{") ? `${JSON.stringify(config, null, 2)}\n` : dump(config, { lineWidth: -1 });
}

function parse(text: string, name: string): JsonObject {
  let config: Json;
  try {
    config = (text.trim() === "" ? {} : (load(text) ?? {})) as Json;
  } catch (error) {
    throw new InvalidArgument(`${name} cannot be read as a kubeconfig: ${errorMessage(error)}`, { cause: error });
  }
  if (isObject(config)) return config;
  throw new InvalidArgument(`${name} is no kubeconfig`);
}
