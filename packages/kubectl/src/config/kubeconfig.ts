import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { errorMessage, systemCode } from "@boxship/base";
import { load } from "js-yaml";
import { Refusal } from "../failure.ts";
import type { Io } from "../io.ts";

export const SECTIONS = ["clusters", "contexts", "users"] as const;
export type Section = (typeof SECTIONS)[number];

/** The word that holds an entry's value: `cluster` in `clusters`. */
export const wordOf = (section: Section): string => section.slice(0, -1);

const FILES: Readonly<Record<string, readonly string[]>> = {
  clusters: ["certificate-authority"],
  users: ["client-certificate", "client-key", "tokenFile"],
};

/** One file of those that a configuration is made of. */
export interface ConfigFile {
  readonly path: string;
  /** Undefined where there is no file. */
  readonly value: JsonObject | undefined;
}

/** The files that kubectl reads, the first that has something winning. */
export function configPaths(io: Io, explicit: string): readonly string[] {
  if (explicit !== "") return [explicit];
  const named = (io.env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  return named.length > 0 ? [...new Set(named)] : [join(io.env["HOME"] ?? homedir(), ".kube", "config")];
}

export async function readConfigFiles(io: Io, explicit: string): Promise<readonly ConfigFile[]> {
  const paths = configPaths(io, explicit);
  return await Promise.all(paths.map(async (path) => ({ path, value: await readOne(path, explicit !== "") })));
}

async function readOne(path: string, needed: boolean): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    if (needed) throw new Refusal(`stat ${path}: no such file or directory`);
    return undefined;
  }
  let value: Json;
  try {
    value = (load(text) ?? {}) as Json;
  } catch (error) {
    throw new Refusal(`error loading config file ${JSON.stringify(path)}: ${errorMessage(error).split("\n")[0]}`);
  }
  if (!isObject(value)) throw new Refusal(`error loading config file ${JSON.stringify(path)}: it is no configuration`);
  return value;
}

/** One configuration of several files; paths in it are absolute. */
export function mergeConfigs(files: readonly ConfigFile[]): JsonObject {
  const merged: JsonObject = { apiVersion: "v1", kind: "Config", preferences: {}, "current-context": "" };
  for (const section of SECTIONS) merged[section] = [];
  for (const { path, value } of files) {
    if (value === undefined) continue;
    if (merged["current-context"] === "") merged["current-context"] = textAt(value, "current-context");
    for (const section of SECTIONS) {
      const list = merged[section] as Json[];
      for (const entry of listAt(value, section)) {
        const name = textAt(entry, "name");
        if (list.some((one) => textAt(one, "name") === name)) continue;
        list.push(withAbsolutePaths(entry, section, dirname(resolve(path))));
      }
    }
  }
  for (const section of SECTIONS) {
    (merged[section] as Json[]).sort((a, b) => (textAt(a, "name") < textAt(b, "name") ? -1 : 1));
  }
  return merged;
}

function withAbsolutePaths(entry: Json, section: Section, folder: string): Json {
  const word = wordOf(section);
  if (!isObject(entry) || !isObject(entry[word])) return entry;
  const value: JsonObject = { ...entry[word] };
  for (const field of FILES[section] ?? []) {
    const path = value[field];
    if (typeof path === "string" && path !== "" && !isAbsolute(path)) value[field] = join(folder, path);
  }
  return { ...entry, [word]: value };
}

/** The value of an entry by its name. */
export function configEntry(config: JsonObject, section: Section, name: string): JsonObject | undefined {
  const found = listAt(config, section).find((entry) => textAt(entry, "name") === name);
  const value = isObject(found) ? found[wordOf(section)] : undefined;
  return found === undefined ? undefined : isObject(value) ? value : {};
}
