import { LiveNetwork, type ManagerContext } from "../live.ts";
import { defaultBridgeName } from "../names.ts";
import type { HostState } from "../worker/network-operations.ts";
import { buildNetwork, planNetwork } from "./network-plan.ts";
import { raiseNetwork } from "./network-raise.ts";
import { saveNetworks } from "./save-networks.ts";
import { withSubnetLock } from "./subnet-lock.ts";

/** The network `bridge` of a new instance. Throws ResourceExhausted when every address pool is taken. */
export function planDefaultBridge(context: ManagerContext, host: HostState): LiveNetwork {
  const options = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": defaultBridgeName(context.name),
  };
  const stored = buildNetwork(context, planNetwork({ name: "bridge", options }), host, true);
  return new LiveNetwork({ ...stored, ownsInterface: true });
}

/** Makes the default bridge after all, where that failed when the program started and now works. */
export async function makeMissingBridge(context: ManagerContext): Promise<void> {
  if (context.bridgeProblem === undefined) return;
  await context.locks.run("networks", async () => {
    if (context.bridgeProblem === undefined) return;
    const network = await withSubnetLock(context, async () => {
      const host = await context.thread.call("readHostState", undefined);
      const planned = planDefaultBridge(context, host);
      await raiseNetwork(context, planned, host);
      return planned;
    });
    context.networks.set(network.record.id, network);
    context.bridgeProblem = undefined;
    await saveNetworks(context);
  });
}
