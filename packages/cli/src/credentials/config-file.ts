import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errorMessage, systemCode } from "@boxship/base/errors";
import { Failure } from "../failure.ts";

/** Credentials of one registry as the file keeps them. */
export interface StoredAuth {
  /** `user:password` in base64. */
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** What this program reads of a Docker client's `config.json`. Other members are kept when it is written. */
export interface ConfigContent {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly detachKeys?: string;
  readonly psFormat?: string;
  readonly imagesFormat?: string;
  readonly networksFormat?: string;
  readonly volumesFormat?: string;
  readonly statsFormat?: string;
  readonly HttpHeaders?: Readonly<Record<string, string>>;
  readonly proxies?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface ConfigFile {
  /** Where the file is, or would be. */
  readonly path: string;
  readonly content: ConfigContent;
  /** Other files whose credentials are used, too, most important first. */
  readonly more: readonly ConfigContent[];
}

function home(env: NodeJS.ProcessEnv): string {
  return env["HOME"] || homedir();
}

/** A file of logins, of whichever tool; an empty one where there is none. */
export async function readLogins(path: string): Promise<ConfigContent> {
  try {
    const content: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof content === "object" && content !== null ? content : {};
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw new Failure(`cannot read ${path}: ${errorMessage(error)}`, { cause: error, remedy: "repair or remove it" });
  }
}

/**
 * Reads `config.json` of `$DOCKER_CONFIG` or `~/.docker`. Credentials also come from podman's `auth.json`
 * (`$REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers`, `~/.config/containers`).
 */
export async function loadConfig(env: NodeJS.ProcessEnv): Promise<ConfigFile> {
  const path = join(env["DOCKER_CONFIG"] || join(home(env), ".docker"), "config.json");
  const others = [
    env["REGISTRY_AUTH_FILE"],
    env["XDG_RUNTIME_DIR"] && join(env["XDG_RUNTIME_DIR"], "containers/auth.json"),
    join(env["XDG_CONFIG_HOME"] || join(home(env), ".config"), "containers/auth.json"),
  ];
  const more = await Promise.all(others.filter((file): file is string => Boolean(file)).map(readLogins));
  return { path, content: await readLogins(path), more };
}
