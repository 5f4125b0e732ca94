import { type LiveSandbox, type ManagerContext, networkOf } from "../live.ts";
import { withdrawPorts } from "../ports/ports-publish.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import { removeInterface } from "./interface-remove.ts";

/** Removes a sandbox with everything it has. One that is not there is fine. */
export async function removeSandbox(context: ManagerContext, id: string): Promise<void> {
  await context.locks.run(`sandbox ${id}`, async () => {
    const sandbox = context.sandboxes.get(id);
    if (sandbox === undefined) return;
    await dismantle(context, sandbox);
    context.sandboxStore.remove(id);
    context.sandboxes.delete(id);
  });
}

async function dismantle(context: ManagerContext, sandbox: LiveSandbox): Promise<void> {
  await withdrawPorts(context, sandbox);
  sandbox.resolver?.[Symbol.dispose]();
  sandbox.resolver = undefined;
  const { path: namespace } = sandbox.stored;
  for (const endpoint of sandbox.stored.endpoints.toReversed()) {
    // The kernel takes its time. A parent lets nobody else have the address until then, and plugins want to be told.
    if (endpoint.link?.kind !== "veth") await removeInterface(context, sandbox, endpoint);
  }
  await context.thread.call("releaseNamespace", namespace);
  for (const endpoint of sandbox.stored.endpoints) {
    networkOf(context, endpoint).delete(endpoint);
    if (endpoint.link?.kind === "veth") context.lingering.add(endpoint.link.hostName, addressesOf(endpoint));
  }
}

function addressesOf({ ipv4, ipv6 }: StoredEndpoint): string[] {
  return [ipv4?.address, ipv6?.address].filter((address) => address !== undefined);
}
