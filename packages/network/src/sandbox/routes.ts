import { type LiveNetwork, type ManagerContext, networkOf } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import type { DefaultRoute, DefaultRoutes } from "../worker/endpoint-operations.ts";

/** The endpoint by which a sandbox reaches the world, for each family. */
export interface Gateways {
  readonly ipv4: StoredEndpoint | undefined;
  readonly ipv6: StoredEndpoint | undefined;
}

/** The highest priority wins; of equals the first by network name. Networks that lead nowhere do not count. */
export function chooseGateways(context: ManagerContext, endpoints: readonly StoredEndpoint[]): Gateways {
  const ordered = [...endpoints].sort((a, b) => {
    return b.gatewayPriority - a.gatewayPriority || (a.networkName < b.networkName ? -1 : 1);
  });
  const first = (family: "ipv4" | "ipv6"): StoredEndpoint | undefined =>
    ordered.find(
      (endpoint) => endpoint[family] !== undefined && leadsOut(networkOf(context, endpoint), endpoint, family),
    );
  return { ipv4: first("ipv4"), ipv6: first("ipv6") };
}

function leadsOut(network: LiveNetwork, endpoint: StoredEndpoint, family: "ipv4" | "ipv6"): boolean {
  if (network.record.internal) return false;
  return endpoint[family]?.gateway !== undefined || network.settings.driver === "ipvlan";
}

export function defaultRoutes({ ipv4, ipv6 }: Gateways): DefaultRoutes {
  return {
    ...(ipv4 === undefined ? {} : { ipv4: defaultRoute(ipv4, "ipv4") }),
    ...(ipv6 === undefined ? {} : { ipv6: defaultRoute(ipv6, "ipv6") }),
  };
}

function defaultRoute(endpoint: StoredEndpoint, family: "ipv4" | "ipv6"): DefaultRoute {
  const gateway = endpoint[family]?.gateway;
  return { interfaceName: endpoint.interfaceName, ...(gateway === undefined ? {} : { gateway }) };
}
