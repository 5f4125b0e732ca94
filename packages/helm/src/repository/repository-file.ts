import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { systemCode, writeFileAtomic } from "@boxship/base";
import { InvalidArgument } from "@boxship/base/errors";
import type { RemoteAccess } from "./fetch-bounded.ts";

/** A chart repository that the user has named. */
export interface Repository extends RemoteAccess {
  readonly name: string;
  readonly url: string;
  /** Everything that is noted of it, also what is not used here. */
  readonly raw: JsonObject;
}

/** `repositories.yaml`. */
export async function readRepositories(path: string): Promise<readonly Repository[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
  return listAt(loadYaml(text, { name: path }), "repositories")
    .filter(isObject)
    .map(repositoryOf);
}

export function repositoryOf(raw: JsonObject): Repository {
  const [name, url] = [textAt(raw, "name"), textAt(raw, "url")];
  if (name === "" || url === "") throw new InvalidArgument("a repository has no name or no url");
  return {
    name,
    url,
    username: textAt(raw, "username"),
    password: textAt(raw, "password"),
    passCredentials: raw["pass_credentials_all"] === true,
    caFile: textAt(raw, "caFile"),
    certFile: textAt(raw, "certFile"),
    keyFile: textAt(raw, "keyFile"),
    insecure: raw["insecure_skip_tls_verify"] === true,
    raw,
  };
}

export async function writeRepositories(path: string, repositories: readonly Repository[]): Promise<void> {
  const all: Json[] = repositories.map(({ raw }) => raw);
  await mkdir(dirname(path), { recursive: true });
  const text = toYaml({ apiVersion: "", generated: new Date().toISOString(), repositories: all });
  // There may be passwords in it.
  await writeFileAtomic(path, text, { mode: 0o600 });
}
