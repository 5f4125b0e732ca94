import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base";
import { parsePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";

/** Where a policy is looked for, as by podman and skopeo: the user's, then the machine's. */
export function policyPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const config = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return [join(config, "containers", "policy.json"), "/etc/containers/policy.json"];
}

/**
 * The policy of a file that was named, or the first that there is; undefined where there is none.
 *
 * @throws InvalidArgument for a file that is malformed or cannot be read: what cannot be read is no permission
 */
export async function loadPolicy(
  path: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Policy | undefined> {
  for (const candidate of path === undefined ? policyPaths(env) : [path]) {
    const source = await readFile(candidate, "utf8").catch((error: unknown) => {
      const code = systemCode(error);
      if (path === undefined && (code === "ENOENT" || code === "ENOTDIR")) return undefined;
      throw new InvalidArgument(`cannot read the policy ${candidate}: ${errorMessage(error)}`, { cause: error });
    });
    if (source !== undefined) return parsePolicy(source, candidate);
  }
  return undefined;
}
