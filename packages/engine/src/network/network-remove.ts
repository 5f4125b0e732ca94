import { Conflict } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import type { NetworkView } from "../engine-api.ts";
import { networkView } from "./network-view.ts";

/** Removes a network. @throws Conflict while running containers are on it */
export async function removeNetwork(context: EngineContext, ref: string): Promise<void> {
  const record = context.network.getNetwork(ref);
  const [member] = networkView(context, record).containers;
  // That a predefined one stays is the network's own to say.
  if (member !== undefined && !record.predefined) {
    throw new Conflict(
      `error while removing network: network ${record.name} has active endpoints (name:"${member.name}" id:"${member.endpointId.slice(0, 12)}")`,
      {
        subject: { kind: "network", name: record.name },
        remedy: `stop or disconnect its containers first: boxship network disconnect ${record.name} ${member.name}`,
      },
    );
  }
  await context.network.removeNetwork(record.id);
  context.events.publish("network", "destroy", record.id, { name: record.name, type: record.driver });
}

/** Removes all networks that no container uses, running or not, and that the filter lets through. @returns their names */
export async function pruneNetworks(
  context: EngineContext,
  filter: (network: NetworkView) => boolean,
): Promise<readonly string[]> {
  const used = new Set(
    context.containers.all().flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)),
  );
  const removed: string[] = [];
  for (const record of context.network.listNetworks()) {
    if (record.predefined || used.has(record.id) || !filter(networkView(context, record))) continue;
    await removeNetwork(context, record.id);
    removed.push(record.name);
  }
  context.events.publish("network", "prune", "", { reclaimed: "0" });
  return removed;
}
