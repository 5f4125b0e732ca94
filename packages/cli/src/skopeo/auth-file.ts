import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ConfigFile, readLogins } from "../credentials/config-file.ts";

/** Where the tools around podman keep logins (containers-auth.json(5)). */
export function authFilePath(env: NodeJS.ProcessEnv, given: string): string {
  if (given !== "") return given;
  const explicit = env["REGISTRY_AUTH_FILE"];
  if (explicit) return explicit;
  const runtime = env["XDG_RUNTIME_DIR"];
  if (runtime) return join(runtime, "containers", "auth.json");
  const uid = process.getuid?.() ?? 0;
  if (uid === 0 || existsSync(`/run/containers/${uid}`)) return `/run/containers/${uid}/auth.json`;
  return join(env["HOME"] || homedir(), ".config", "containers", "auth.json");
}

/** The file for logins; an empty one where there is none. */
export async function loadAuthFile(path: string): Promise<ConfigFile> {
  return { path, content: await readLogins(path), more: [] };
}
