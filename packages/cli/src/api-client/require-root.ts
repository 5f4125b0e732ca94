import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Failure } from "../failure.ts";
import type { Endpoint, Instance } from "../instance.ts";
import { ApiClient } from "./client.ts";

/**
 * Whoever names a directory of state means what is in it: an engine of the same name that runs on another one is not what
 * they asked for. Another address, nobody there, or an engine that does not say, is no contradiction.
 *
 * @throws Failure naming both directories
 */
export async function requireRoot({ name, root, runDir }: Instance, endpoint: Endpoint): Promise<void> {
  if (root === undefined || endpoint.kind !== "unix" || endpoint.path !== `${runDir}/engine.sock`) return;
  using client = new ApiClient(endpoint);
  const answer = client.json<{ readonly Root?: string }>("GET", "/boxship/ping");
  const running = await answer.catch(() => undefined); // the request that follows says why
  if (running?.Root === undefined || real(running.Root) === real(root)) return;
  throw new Failure(`instance "${name}" runs with --root ${running.Root}, not with ${root}`, {
    remedy: "leave --root out, or give the engine of that directory a name of its own with --name",
  });
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
