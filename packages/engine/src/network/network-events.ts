import type { EngineContext } from "../context.ts";

/** A container has joined or left a network. Nothing when the network is gone. */
export function publishNetworkEvent(
  context: EngineContext,
  action: "connect" | "disconnect",
  networkId: string,
  container: string,
): void {
  const network = context.network.listNetworks().find(({ id }) => id === networkId);
  if (network === undefined) return;
  context.events.publish("network", action, network.id, { container, name: network.name, type: network.driver });
}
