import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { deepCopy, isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { writeFileAtomic } from "@boxship/base";
import type { Session } from "../session.ts";
import { configPaths, SECTIONS, type Section, wordOf } from "./kubeconfig.ts";

/** A file of the configuration that can be changed. */
export interface Editable {
  readonly path: string;
  readonly value: JsonObject;
}

/** The file that holds what is changed: the one where an entry is, or else the first that exists, or the last. */
export async function editable(session: Session, holds: (config: JsonObject) => boolean): Promise<Editable> {
  const files = await session.configFiles().catch(() => []);
  const paths = configPaths(session.io, session.flags.kubeconfig);
  const found =
    files.find(({ value }) => value !== undefined && holds(value)) ?? files.find(({ value }) => value !== undefined);
  return { path: found?.path ?? paths.at(-1) ?? "", value: deepCopy(found?.value ?? {}) };
}

export async function writeConfig({ path, value }: Editable): Promise<void> {
  const config: JsonObject = { apiVersion: "v1", kind: "Config", "current-context": "", ...value };
  for (const section of SECTIONS) {
    const entries = [...listAt(config, section)].sort((a, b) => (textAt(a, "name") < textAt(b, "name") ? -1 : 1));
    config[section] = entries.length === 0 ? null : entries;
  }
  if (isObject(config["preferences"]) && Object.keys(config["preferences"]).length === 0) delete config["preferences"];
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, toYaml(config), { mode: 0o600 });
}

export const hasEntry =
  (section: Section, name: string) =>
  (config: JsonObject): boolean =>
    listAt(config, section).some((one) => textAt(one, "name") === name);

/** Sets fields of an entry, which is made where there is none. Empty texts take a field away. */
export function setEntry(
  config: JsonObject,
  section: Section,
  name: string,
  change: (value: JsonObject) => void,
): void {
  const entries = [...listAt(config, section)];
  const at = entries.findIndex((one) => textAt(one, "name") === name);
  const word = wordOf(section);
  const old = at < 0 ? undefined : entries[at];
  const value: JsonObject = isObject(old) && isObject(old[word]) ? { ...old[word] } : {};
  change(value);
  const entry: Json = { name, [word]: value };
  if (at < 0) entries.push(entry);
  else entries[at] = entry;
  config[section] = entries;
}

export function removeEntry(config: JsonObject, section: Section, name: string): void {
  config[section] = listAt(config, section).filter((one) => textAt(one, "name") !== name);
}
