import type { ManagerContext } from "../live.ts";

/** Writes the set of networks down; durable once it resolves. */
export async function saveNetworks(context: ManagerContext): Promise<void> {
  await context.networkStore.save([...context.networks.values()].map(({ stored }) => stored));
}
