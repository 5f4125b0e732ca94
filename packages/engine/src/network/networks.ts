import type { EngineContext } from "../context.ts";
import type { NetworksApi } from "../engine-api.ts";
import { connectNetwork, disconnectNetwork } from "./network-connect.ts";
import { createNetwork } from "./network-create.ts";
import { pruneNetworks, removeNetwork } from "./network-remove.ts";
import { networkView } from "./network-view.ts";

/** The network verbs, bound to one engine. */
export function networksApi(context: EngineContext): NetworksApi {
  const { network } = context;
  return {
    list: async () => network.listNetworks().map((record) => networkView(context, record)),
    get: async (ref) => networkView(context, network.getNetwork(ref)),
    create: (request) => createNetwork(context, request),
    remove: (ref) => removeNetwork(context, ref),
    connect: (ref, containerRef, endpoint) => connectNetwork(context, ref, containerRef, endpoint),
    disconnect: (ref, containerRef, force) => disconnectNetwork(context, ref, containerRef, force),
    prune: (filter) => pruneNetworks(context, filter),
  };
}
