import { addressBytes } from "@boxship/kernel";
import { parsePrefix } from "../ip/prefix.ts";
import { firewallNetwork, type LiveNetwork, type ManagerContext } from "../live.ts";
import { linkAlias, macForAddress } from "../names.ts";
import type { HostState } from "../worker/network-operations.ts";

/** Makes a network's device and firewall elements; when that fails nothing is left of them. Idempotent. */
export async function raiseNetwork(context: ManagerContext, network: LiveNetwork, host: HostState): Promise<void> {
  const created = await raiseDevice(context, network, host);
  try {
    const element = firewallNetwork(network);
    if (element !== undefined) await context.firewall.apply({ addNetworks: [element] });
  } catch (error) {
    if (created) await context.thread.call("removeLink", network.record.interfaceName ?? "");
    throw error;
  }
}

/** Makes a network's device when it is not there. Returns whether it was made. */
export async function raiseDevice(context: ManagerContext, network: LiveNetwork, host: HostState): Promise<boolean> {
  const { record, ownsInterface, createParent } = network.stored;
  const name = record.interfaceName;
  if (name === undefined) return false;
  const alias = ownsInterface ? { alias: linkAlias(context.name, record.id) } : {};
  if (network.settings.driver !== "bridge") {
    const create = createParent === undefined ? {} : { create: createParent };
    if (network.settings.driver === "macvlan" || network.settings.driver === "ipvlan") {
      network.mtu = network.settings.mtu;
    }
    return await context.thread.call("ensureParent", { name, ...create, ...alias });
  }
  await context.thread.call("enableForwarding", { ipv6: record.enableIPv6 });
  const addresses = gatewayAddresses(network);
  network.mtu = network.settings.mtu ?? defaultMtu(host);
  const mtu = network.mtu === undefined ? {} : { mtu: network.mtu };
  const mac = macForAddress(addressBytes(addresses[0]?.address ?? "0.0.0.0"));
  return await context.thread.call("ensureBridge", { name, ...alias, mac, addresses, ...mtu });
}

function gatewayAddresses(network: LiveNetwork): { address: string; prefixLength: number }[] {
  return network.record.ipam.config.flatMap(({ subnet, gateway }) => {
    return gateway === undefined ? [] : [{ address: gateway, prefixLength: parsePrefix(subnet).length }];
  });
}

/** The MTU of the link of the host's default route, for networks that name none. */
export function defaultMtu(host: HostState): number | undefined {
  const route = host.routes.find(({ destination, link, type }) => {
    return destination === undefined && link !== undefined && type === "unicast";
  });
  return host.links.find((link) => link.index === route?.link)?.mtu;
}

/** Takes a network's firewall elements and device away; a device that others are on is theirs then. Idempotent. */
export async function lowerNetwork(context: ManagerContext, network: LiveNetwork): Promise<void> {
  const element = firewallNetwork(network);
  if (element !== undefined) await context.firewall.apply({ removeNetworks: [element] });
  const { ownsInterface, record } = network.stored;
  if (!ownsInterface || record.interfaceName === undefined) return;
  const heir = [...context.networks.values()].find((other) => {
    return other !== network && other.record.interfaceName === record.interfaceName;
  });
  if (heir === undefined) await context.thread.call("removeLink", record.interfaceName);
  else heir.inheritInterface(network.stored);
}
