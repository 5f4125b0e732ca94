import { type ManagerContext, networkOf, requireSandbox } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import { endpointNames } from "./endpoint-connect.ts";
import { updateSandbox } from "./sandbox-create.ts";

/** Gives a container another name on all its networks. */
export async function renameSandbox(context: ManagerContext, id: string, name: string): Promise<void> {
  await context.locks.run(`sandbox ${id}`, async () => {
    const sandbox = requireSandbox(context, id);
    const before = sandbox.stored.endpoints;
    const endpoints = before.map((endpoint): StoredEndpoint => {
      const { hasNames } = networkOf(context, endpoint);
      return { ...endpoint, name, dnsNames: hasNames ? endpointNames(sandbox, name, endpoint.aliases) : [] };
    });
    updateSandbox(context, sandbox, { endpoints });
    for (const endpoint of before) networkOf(context, endpoint).forget(endpoint);
    for (const endpoint of endpoints) networkOf(context, endpoint).add(endpoint);
  });
}
