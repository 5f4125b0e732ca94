import type { FirewallNetwork } from "../firewall/ruleset.ts";
import { formatPrefix, parseAddress, prefixOf } from "../ip/prefix.ts";
import type { ManagerContext } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";

/**
 * Links of the host that CNI plugins made and by which it reaches containers of ours. Published ports lead there as they
 * lead to bridges; what else passes is the plugins' business.
 */

/** What the firewall must know of every such link. */
export function guestNetworks(endpoints: Iterable<StoredEndpoint>): FirewallNetwork[] {
  const subnets = new Map<string, Set<string>>();
  for (const endpoint of endpoints) {
    const link = guestLink(endpoint);
    if (link === undefined) continue;
    const known = subnets.get(link) ?? new Set();
    subnets.set(link, known);
    for (const subnet of subnetsOf(endpoint)) known.add(subnet);
  }
  return [...subnets].map(([link, known]) => guestNetwork(link, [...known]));
}

/** Before ports lead to an endpoint. */
export async function welcomeGuest(context: ManagerContext, endpoint: StoredEndpoint): Promise<void> {
  const link = guestLink(endpoint);
  if (link === undefined) return;
  await context.thread.call("routeLocalnet", link);
  await context.firewall.apply({ addNetworks: guestNetworks([...othersBy(context, link, endpoint), endpoint]) });
}

/** After the last endpoint by a link is gone. */
export async function dismissGuest(context: ManagerContext, endpoint: StoredEndpoint): Promise<void> {
  const link = guestLink(endpoint);
  if (link === undefined || othersBy(context, link, endpoint).length > 0) return;
  await context.firewall.apply({ removeNetworks: guestNetworks([endpoint]) });
}

function othersBy(context: ManagerContext, link: string, endpoint: StoredEndpoint): StoredEndpoint[] {
  const all = [...context.networks.values()].flatMap(({ endpoints }) => [...endpoints.values()]);
  return all.filter((other) => other.endpointId !== endpoint.endpointId && guestLink(other) === link);
}

function guestLink({ link }: StoredEndpoint): string | undefined {
  return link?.kind === "cni" ? link.hostLink : undefined;
}

function subnetsOf({ ipv4, ipv6 }: StoredEndpoint): string[] {
  return [ipv4, ipv6].flatMap((address) => {
    return address === undefined ? [] : [formatPrefix(prefixOf(parseAddress(address.address), address.prefixLength))];
  });
}

function guestNetwork(link: string, subnets: readonly string[]): FirewallNetwork {
  return {
    bridge: link,
    guest: true,
    internal: false,
    masquerade: false,
    interContainer: false,
    subnets4: subnets.filter((subnet) => !subnet.includes(":")),
    subnets6: subnets.filter((subnet) => subnet.includes(":")),
  };
}
