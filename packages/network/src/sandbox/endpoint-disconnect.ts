import { NotFound } from "@boxship/base";
import { type ManagerContext, requireSandbox } from "../live.ts";
import { findNetwork } from "../networks/network-get.ts";
import { movePorts } from "../ports/ports-publish.ts";
import { removeInterface } from "./interface-remove.ts";
import { chooseGateways, defaultRoutes } from "./routes.ts";
import { updateSandbox } from "./sandbox-create.ts";

/** Takes a sandbox's interface on a network away, and its names and addresses with it. */
export async function disconnectEndpoint(
  context: ManagerContext,
  sandboxId: string,
  networkReference: string,
): Promise<void> {
  await context.locks.run(`sandbox ${sandboxId}`, async () => {
    const sandbox = requireSandbox(context, sandboxId);
    const network = findNetwork(context, networkReference);
    const endpoint = sandbox.stored.endpoints.find(({ networkId }) => networkId === network.record.id);
    if (endpoint === undefined) {
      throw new NotFound(`container is not connected to network ${network.record.name}`, {
        subject: { kind: "network", name: network.record.name },
      });
    }
    const rest = sandbox.stored.endpoints.filter((other) => other !== endpoint);
    updateSandbox(context, sandbox, { endpoints: rest });
    network.pending++;
    network.forget(endpoint);
    try {
      await movePorts(context, sandbox);
      if (endpoint.link !== undefined) {
        const { path: namespace } = sandbox.stored;
        await removeInterface(context, sandbox, endpoint);
        const routes = defaultRoutes(chooseGateways(context, rest));
        await context.thread.call("setDefaultRoutes", { namespace, routes });
      }
    } finally {
      // Only now may others have the addresses.
      network.delete(endpoint);
      network.pending--;
    }
  });
}
