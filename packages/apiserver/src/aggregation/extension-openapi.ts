import { deepEqual, isObject, type Json, type JsonObject, textAt, valueAt } from "@boxship/api";
import { getJson } from "./ask-discovery.ts";
import type { Extension } from "./extension.ts";
import type { ForwardTarget } from "./forward-request.ts";

/** What a server of many kinds tells. */
const LONGEST_DOCUMENT = 32 * 1024 * 1024;

/** `apis/GROUP/VERSION`, as indices of OpenAPI call it. */
export const documentName = ({ group, version }: Pick<Extension, "group" | "version">): string =>
  `apis/${group}/${version}`;

/** Asks where a server's own document of a version is. @returns undefined for one that has none */
export async function askDocumentUrl(extension: Extension, target: ForwardTarget): Promise<string | undefined> {
  try {
    const index = await getJson(target, "/openapi/v3");
    const url = textAt(valueAt(index, "paths", documentName(extension)), "serverRelativeURL");
    return url.startsWith("/openapi/v3/") ? url : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for a server that does not answer with a document */
export async function askDocument(target: ForwardTarget, path: string): Promise<JsonObject | undefined> {
  try {
    const document = await getJson(target, path, LONGEST_DOCUMENT);
    return isObject(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

const REFERENCE = "#/definitions/";

/**
 * Adds to a document of OpenAPI v2 what another server's says of one version: its paths, and the definitions that they
 * need. A definition whose name is taken by another one gets a name of its own.
 */
export function mergeDocument(whole: JsonObject, other: JsonObject, extension: Extension): void {
  const prefix = `/${documentName(extension)}`;
  const [paths, definitions] = [whole["paths"] as JsonObject, whole["definitions"] as JsonObject];
  const theirs = valueAt(other, "definitions");
  const own = Object.entries(isObject(other["paths"]) ? other["paths"] : {}).filter(
    ([path]) => path === prefix || path === `${prefix}/` || path.startsWith(`${prefix}/`),
  );
  const names = new Map<string, string>();
  const pending: string[] = [];
  const nameOf = (name: string): string => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const definition = isObject(theirs) ? theirs[name] : undefined;
    let free = name;
    for (let at = 2; definitions[free] !== undefined && !deepEqual(definitions[free], definition ?? {}); at++)
      free = `${name}_v${at}`;
    names.set(name, free);
    definitions[free] ??= {};
    pending.push(name);
    return free;
  };
  const renamed = (value: Json | undefined): Json => {
    if (Array.isArray(value)) return value.map(renamed);
    if (!isObject(value)) return value ?? null;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        key === "$ref" && typeof item === "string" && item.startsWith(REFERENCE)
          ? `${REFERENCE}${nameOf(item.slice(REFERENCE.length))}`
          : renamed(item),
      ]),
    );
  };
  for (const [path, item] of own) paths[path] = renamed(item);
  // Kinds that no path refers to are wanted, too: clients look them up by group, version and kind.
  for (const [name, definition] of Object.entries(isObject(theirs) ? theirs : {})) {
    const kinds = valueAt(definition, "x-kubernetes-group-version-kind");
    if (Array.isArray(kinds) && kinds.some((one) => isKindOf(one, extension))) nameOf(name);
  }
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const definition = isObject(theirs) ? theirs[name] : undefined;
    definitions[names.get(name) ?? name] = renamed(definition ?? {});
  }
}

const isKindOf = (kind: Json, { group, version }: Extension): boolean =>
  textAt(kind, "group") === group && textAt(kind, "version") === version;
