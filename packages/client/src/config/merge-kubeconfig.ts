import { isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { dump, load } from "js-yaml";

const LISTS = ["clusters", "users", "contexts"] as const;

/**
 * A kubeconfig with the entries of another one, in place of those of the same names, and its current context.
 *
 * @param into YAML; empty for none yet
 * @param name of the file, for messages
 * @returns YAML, without the comments that were there
 * @throws InvalidArgument for what is no kubeconfig
 */
export function mergeKubeconfig(into: string, from: string, name: string): string {
  const added = parse(from, "the cluster's own");
  const merged: JsonObject = { apiVersion: "v1", kind: "Config", ...parse(into, name) };
  for (const list of LISTS) {
    const own = listAt(added, list);
    const names = new Set(own.map((one) => textAt(one, "name")));
    merged[list] = [...listAt(merged, list).filter((one) => !names.has(textAt(one, "name"))), ...own];
  }
  merged["current-context"] = textAt(added, "current-context");
  return dump(merged, { lineWidth: -1 });
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
