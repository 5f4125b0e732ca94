import { Conflict, InvalidArgument, PermissionDenied } from "@boxship/base";
import type { CreateNetworkOptions, IpamConfig, NetworkDriver, NetworkRecord } from "../contract.ts";
import { readHostResolvers } from "../files/resolv-conf.ts";
import {
  contains,
  formatAddress,
  formatPrefix,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
  usableRange,
} from "../ip/prefix.ts";
import { chooseSubnet, type TakenPrefix } from "../ipam/choose-subnet.ts";
import type { ManagerContext } from "../live.ts";
import type { HostState } from "../worker/network-operations.ts";

/** Everything a chosen subnet must keep away from. `device` is the network's own link, if it is there already. */
export function takenPrefixes(context: ManagerContext, host: HostState, device: string): TakenPrefix[] {
  const names = new Map(host.links.map(({ index, name }) => [index, name]));
  const taken: TakenPrefix[] = [];
  const note = (prefix: Prefix, by: string): void => {
    if (prefix.length > 0) taken.push({ ...prefix, by });
  };
  for (const { record } of context.networks.values()) {
    for (const { subnet } of record.ipam.config) note(parsePrefix(subnet), `network ${record.name}`);
  }
  for (const { destination, link } of host.routes) {
    const name = names.get(link ?? -1);
    if (destination === undefined || name === device) continue;
    note(parsePrefix(destination), `a route of the host${name === undefined ? "" : ` by ${name}`}`);
  }
  for (const { address, link } of host.addresses) {
    const name = names.get(link);
    if (name !== device) note(single(address), `the host's address ${address} on ${name}`);
  }
  for (const server of readHostResolvers(context.hostResolvConf).servers) {
    if (!server.includes("%")) note(single(server), `the host's DNS server ${server}`);
  }
  return taken;
}

function single(text: string): Prefix {
  const address = parseAddress(text);
  return { ...address, length: address.family === 4 ? 32 : 128 };
}

export interface AddressPlan {
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  /** Whether members reach others by a gateway. */
  readonly hasGateway: boolean;
  readonly taken: readonly TakenPrefix[];
}

/** The subnets of a network: those that were asked for, checked, and one of the pools where a family has none. */
export function planAddresses(
  context: ManagerContext,
  options: CreateNetworkOptions,
  driver: NetworkDriver,
  plan: AddressPlan,
): NetworkRecord["ipam"]["config"] {
  const given = options.ipam?.config ?? [];
  const subject = { kind: "network", name: options.name };
  const subnets = given.flatMap(({ subnet }) => (subnet === undefined ? [] : [parsePrefix(subnet)]));
  if (given.length !== subnets.length) {
    throw new InvalidArgument(
      `network ${options.name}: an address range, gateway or auxiliary address needs a subnet`,
      {
        subject,
      },
    );
  }
  return ([4, 6] as const).flatMap((family) => {
    const enabled = family === 4 ? plan.enableIPv4 : plan.enableIPv6;
    const configs = given.filter((_, index) => subnets[index]?.family === family);
    if (!enabled && configs.length > 0) {
      throw new InvalidArgument(`network ${options.name} has an IPv${family} subnet but IPv${family} is not enabled`, {
        subject,
        ...(family === 6 ? { remedy: "enable IPv6 for the network" } : {}),
      });
    }
    if (!enabled) return [];
    if (configs.length > 1 && driver === "bridge") {
      throw new PermissionDenied(`network ${options.name}: bridge driver doesn't support multiple subnets`, {
        subject,
        remedy: "make a network for each subnet; the drivers macvlan and ipvlan take several",
      });
    }
    if (configs.length === 0) {
      const subnet = chooseSubnet(context.addressPools, family, plan.taken);
      return [{ subnet: formatPrefix(subnet), ...(plan.hasGateway ? { gateway: firstAddress(subnet) } : {}) }];
    }
    refuseSelfOverlap(options.name, configs);
    return configs.map((config) => checkConfig(context, options.name, driver, config, plan));
  });
}

function refuseSelfOverlap(name: string, configs: readonly IpamConfig[]): void {
  const prefixes = configs.map(({ subnet }) => parsePrefix(subnet ?? ""));
  for (const [index, prefix] of prefixes.entries()) {
    if (!prefixes.slice(0, index).some((other) => overlaps(prefix, other))) continue;
    throw new InvalidArgument(`subnet ${formatPrefix(prefix)} of network ${name} overlaps with another of its own`, {
      subject: { kind: "network", name },
    });
  }
}

function firstAddress(subnet: Prefix): string {
  return formatAddress({ family: subnet.family, value: usableRange(subnet).first });
}

function checkConfig(
  context: ManagerContext,
  name: string,
  driver: NetworkDriver,
  config: IpamConfig,
  { taken, hasGateway }: AddressPlan,
): IpamConfig & { readonly subnet: string } {
  const subnet = parsePrefix(config.subnet ?? "");
  refuseOverlap(context, name, driver, subnet, taken);
  const inside = (what: string, text: string): string => {
    const address = parseAddress(text);
    if (contains(subnet, address)) return formatAddress(address);
    throw new InvalidArgument(`${what} ${text} of network ${name} is outside its subnet ${config.subnet}`, {
      subject: { kind: "network", name },
    });
  };
  const range = config.ipRange === undefined ? undefined : parsePrefix(config.ipRange);
  if (range !== undefined && !contains(subnet, range)) {
    throw new InvalidArgument(`range ${config.ipRange} of network ${name} is outside its subnet ${config.subnet}`, {
      subject: { kind: "network", name },
    });
  }
  const standard = hasGateway ? firstAddress(subnet) : undefined;
  const gateway = config.gateway === undefined ? standard : inside("gateway", config.gateway);
  const auxiliary = Object.entries(config.auxiliaryAddresses ?? {}).map(
    ([key, address]) => [key, inside("auxiliary address", address)] as const,
  );
  return {
    subnet: formatPrefix(subnet),
    ...(range === undefined ? {} : { ipRange: formatPrefix(range) }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(auxiliary.length === 0 ? {} : { auxiliaryAddresses: Object.fromEntries(auxiliary) }),
  };
}

/** A subnet that was asked for may lie inside a larger route, but not around an address of the host or another network. */
function refuseOverlap(
  context: ManagerContext,
  name: string,
  driver: NetworkDriver,
  subnet: Prefix,
  taken: readonly TakenPrefix[],
): void {
  const subject = { kind: "network", name };
  for (const { record } of context.networks.values()) {
    if (!record.ipam.config.some((other) => overlaps(parsePrefix(other.subnet), subnet))) continue;
    throw new Conflict(
      `subnet ${formatPrefix(subnet)} of network ${name} overlaps with network ${record.name}: ` +
        "Pool overlaps with other one on this address space",
      { subject },
    );
  }
  // Members of a macvlan or ipvlan network are meant to be in the subnet of the parent.
  if (driver !== "bridge") return;
  const obstacle = taken.find((prefix) => contains(subnet, prefix));
  if (obstacle === undefined) return;
  throw new Conflict(
    `subnet ${formatPrefix(subnet)} of network ${name} holds ${formatPrefix(obstacle)}, which the host uses`,
    { subject, remedy: `it is taken by ${obstacle.by}; choose another subnet, or none to have one chosen` },
  );
}
