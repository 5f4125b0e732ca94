import { Conflict, PermissionDenied } from "@boxship/base";
import type { LiveNetwork, ManagerContext } from "../live.ts";
import { findNetwork } from "./network-get.ts";
import { lowerNetwork } from "./network-raise.ts";
import { saveNetworks } from "./save-networks.ts";

/** Removes a network without members. It is gone from disk once it resolves. */
export async function removeNetwork(context: ManagerContext, reference: string): Promise<void> {
  await context.locks.run("networks", async () => {
    const network = findNetwork(context, reference);
    refuseInUse(network);
    context.networks.delete(network.record.id);
    try {
      await lowerNetwork(context, network);
      await saveNetworks(context);
    } catch (error) {
      context.networks.set(network.record.id, network);
      throw error;
    }
  });
}

function refuseInUse({ record, endpoints, pending }: LiveNetwork): void {
  const subject = { kind: "network", name: record.name };
  if (record.predefined) {
    throw new PermissionDenied(`${record.name} is a pre-defined network and cannot be removed`, { subject });
  }
  if (endpoints.size === 0 && pending === 0) return;
  const members = [...endpoints.values()].map(({ name }) => name).join(", ");
  throw new Conflict(`network ${record.name} has active endpoints${members === "" ? "" : ` (${members})`}`, {
    subject,
    remedy: "stop or disconnect these containers first",
  });
}
