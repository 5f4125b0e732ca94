import { homedir } from "node:os";
import { join } from "node:path";
import type { ClusterFlags, Surroundings } from "../command.ts";

type Places = Pick<ClusterFlags, "repository-cache" | "repository-config">;

/** Where repositories are noted, and where their indexes are kept: as Helm has them, so that both know the same. */
export function repositoryPlaces(
  flags: Places,
  { io: { env } }: Surroundings,
): { readonly file: string; readonly cache: string } {
  const home = env["HOME"] ?? homedir();
  const config = env["HELM_CONFIG_HOME"] ?? join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "helm");
  const caches = env["HELM_CACHE_HOME"] ?? join(env["XDG_CACHE_HOME"] ?? join(home, ".cache"), "helm");
  return {
    file: flags["repository-config"] || env["HELM_REPOSITORY_CONFIG"] || join(config, "repositories.yaml"),
    cache: flags["repository-cache"] || env["HELM_REPOSITORY_CACHE"] || join(caches, "repository"),
  };
}
