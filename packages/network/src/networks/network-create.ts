import { randomBytes } from "node:crypto";
import { AlreadyExists, Conflict, InvalidArgument, PermissionDenied, Unsupported } from "@boxship/base";
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
import { chooseSubnet } from "../ipam/choose-subnet.ts";
import { LiveNetwork, type ManagerContext } from "../live.ts";
import { bridgeName, parentName } from "../names.ts";
import type { StoredNetwork } from "../state/stored.ts";
import type { HostState } from "../worker/network-operations.ts";
import { type DriverSettings, parseDriverOptions } from "./driver-options.ts";
import { lowerNetwork, raiseNetwork } from "./network-raise.ts";

const DRIVERS: readonly NetworkDriver[] = ["bridge", "host", "null", "macvlan", "ipvlan"];

/** What is made of a request once addresses and names are chosen. */
export interface NetworkPlan {
  readonly id: string;
  readonly options: CreateNetworkOptions;
  readonly driver: NetworkDriver;
  readonly settings: DriverSettings;
}

/** Creates a network: durable, its device up and its firewall elements in effect once it resolves. */
export async function createNetwork(context: ManagerContext, options: CreateNetworkOptions): Promise<NetworkRecord> {
  const plan = planNetwork(options);
  if (plan.driver === "host" || plan.driver === "null") {
    throw new PermissionDenied(`only one instance of "${plan.driver}" network is allowed`, {
      subject: { kind: "network", name: options.name },
    });
  }
  return await context.locks.run("networks", async () => {
    refuseTakenName(context, plan);
    const host = await context.thread.call("readHostState", undefined);
    const stored = buildNetwork(context, plan, host);
    const network = new LiveNetwork(stored);
    await raiseNetwork(context, network, host);
    context.networks.set(plan.id, network);
    try {
      await saveNetworks(context);
    } catch (error) {
      context.networks.delete(plan.id);
      await lowerNetwork(context, network);
      throw error;
    }
    return network.record;
  });
}

/** Writes the set of networks down; durable once it resolves. */
export async function saveNetworks(context: ManagerContext): Promise<void> {
  await context.networkStore.save([...context.networks.values()].map(({ stored }) => stored));
}

/** Checks a request as far as that goes without looking at the host. */
export function planNetwork(options: CreateNetworkOptions): NetworkPlan {
  const { name, ipam = {} } = options;
  const subject = { kind: "network", name };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new InvalidArgument(`invalid network name ${JSON.stringify(name)}`, {
      subject,
      remedy: "use letters, digits, _, . and -, beginning with a letter or digit",
    });
  }
  const driver = DRIVERS.find((candidate) => candidate === (options.driver ?? "bridge"));
  if (driver === undefined) {
    throw new Unsupported(`there is no network driver ${JSON.stringify(options.driver)}`, {
      subject,
      remedy: `use one of ${DRIVERS.join(", ")}`,
    });
  }
  if (ipam.driver !== undefined && ipam.driver !== "" && ipam.driver !== "default") {
    throw new Unsupported(`there is no IPAM driver ${JSON.stringify(ipam.driver)}`, { subject });
  }
  const [option] = Object.keys(ipam.options ?? {});
  if (option !== undefined) throw new InvalidArgument(`the default IPAM driver has no option ${option}`, { subject });
  if (options.enableIPv4 === false && options.enableIPv6 !== true) {
    throw new InvalidArgument(`network ${name} would have neither IPv4 nor IPv6`, { subject });
  }
  const id = options.id ?? randomBytes(32).toString("hex");
  if (!/^[0-9a-f]{64}$/.test(id)) throw new InvalidArgument(`${JSON.stringify(id)} is no network id`, { subject });
  return { id, options, driver, settings: parseDriverOptions(driver, options.options ?? {}) };
}

function refuseTakenName(context: ManagerContext, { id, options: { name } }: NetworkPlan): void {
  for (const { record } of context.networks.values()) {
    if (record.name !== name && record.id !== id) continue;
    throw new AlreadyExists(`network with name ${name} already exists`, { subject: { kind: "network", name } });
  }
}

/** Chooses addresses and device of a network that is not there yet. */
export function buildNetwork(
  context: ManagerContext,
  plan: NetworkPlan,
  host: HostState,
  predefined = false,
): StoredNetwork {
  const { id, options, driver } = plan;
  const device = chooseDevice(context, plan, host);
  const enableIPv4 = options.enableIPv4 ?? true;
  const enableIPv6 = options.enableIPv6 ?? false;
  const taken = takenPrefixes(context, host, device.interfaceName);
  const config = planAddresses(context, options, driver, { enableIPv4, enableIPv6, taken });
  const record: NetworkRecord = {
    id,
    name: options.name,
    created: context.clock.now(),
    driver,
    scope: "local",
    internal: (options.internal ?? false) || device.internal,
    attachable: options.attachable ?? false,
    enableIPv4,
    enableIPv6,
    ipam: { driver: "default", options: {}, config },
    options: options.options ?? {},
    labels: options.labels ?? {},
    predefined,
    interfaceName: device.interfaceName,
  };
  const create = device.create === undefined ? {} : { createParent: device.create };
  return { record, ownsInterface: device.owned, ...create };
}

interface Device {
  readonly interfaceName: string;
  readonly owned: boolean;
  readonly create?: StoredNetwork["createParent"];
  /** A parent of our own leads nowhere. */
  readonly internal: boolean;
}

function chooseDevice(context: ManagerContext, { id, settings, options }: NetworkPlan, host: HostState): Device {
  const exists = (name: string): boolean => host.links.some((link) => link.name === name);
  if (settings.driver === "bridge") {
    const name = settings.bridgeName ?? bridgeName(context.name, id);
    refuseSharedDevice(context, name, options.name);
    return { interfaceName: name, owned: !exists(name), internal: false };
  }
  const parent = settings.driver === "macvlan" || settings.driver === "ipvlan" ? settings.parent : undefined;
  if (parent === undefined || parent === "") {
    // As Docker does: without a parent, a link of our own joins the members, and nobody else.
    return { interfaceName: parentName(context.name, id), owned: true, create: { kind: "dummy" }, internal: true };
  }
  refuseSharedDevice(context, parent, options.name);
  if (exists(parent)) return { interfaceName: parent, owned: false, internal: false };
  const vlan = /^(.+)\.(\d{1,4})$/.exec(parent);
  const vlanId = Number(vlan?.[2] ?? 0);
  if (vlan?.[1] === undefined || vlanId < 1 || vlanId > 4094) {
    throw new InvalidArgument(`parent interface ${parent} does not exist`, {
      subject: { kind: "interface", name: parent },
    });
  }
  return { interfaceName: parent, owned: true, create: { kind: "vlan", on: vlan[1], id: vlanId }, internal: false };
}

function refuseSharedDevice(context: ManagerContext, device: string, name: string): void {
  for (const { record } of context.networks.values()) {
    if (record.interfaceName !== device) continue;
    throw new Conflict(`network ${name} would use ${device}, which network ${record.name} uses`, {
      subject: { kind: "network", name },
    });
  }
}

/** Everything a chosen subnet must keep away from. */
function takenPrefixes(context: ManagerContext, host: HostState, device: string): Prefix[] {
  const own = host.links.find((link) => link.name === device)?.index;
  const routes = host.routes.flatMap(({ destination, link }) => {
    return destination === undefined || link === own ? [] : [parsePrefix(destination)];
  });
  const addresses = host.addresses.flatMap(({ address, link }) => (link === own ? [] : [single(address)]));
  const resolvers = readHostResolvers(context.hostResolvConf).servers.flatMap((server) => {
    return server.includes("%") ? [] : [single(server)];
  });
  const networks = [...context.networks.values()].flatMap(({ record }) => {
    return record.ipam.config.map(({ subnet }) => parsePrefix(subnet));
  });
  return [...routes, ...addresses, ...resolvers, ...networks].filter(({ length }) => length > 0);
}

function single(text: string): Prefix {
  const address = parseAddress(text);
  return { ...address, length: address.family === 4 ? 32 : 128 };
}

interface AddressPlan {
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly taken: readonly Prefix[];
}

function planAddresses(
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
    if (configs.length > 1) {
      throw new Unsupported(`network ${options.name} has more than one IPv${family} subnet`, { subject });
    }
    const [config] = configs;
    if (config === undefined) {
      const subnet = chooseSubnet(context.addressPools, family, plan.taken);
      return [{ subnet: formatPrefix(subnet), gateway: firstAddress(subnet) }];
    }
    return [checkConfig(context, options.name, driver, config, plan.taken)];
  });
}

function firstAddress(subnet: Prefix): string {
  return formatAddress({ family: subnet.family, value: usableRange(subnet).first });
}

function checkConfig(
  context: ManagerContext,
  name: string,
  driver: NetworkDriver,
  config: IpamConfig,
  taken: readonly Prefix[],
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
  if (range !== undefined && !contains(subnet, range)) inside("range", config.ipRange ?? "");
  const gateway = config.gateway === undefined ? firstAddress(subnet) : inside("gateway", config.gateway);
  const auxiliary = Object.entries(config.auxiliaryAddresses ?? {}).map(
    ([key, address]) => [key, inside("auxiliary address", address)] as const,
  );
  return {
    subnet: formatPrefix(subnet),
    ...(range === undefined ? {} : { ipRange: formatPrefix(range) }),
    gateway,
    ...(auxiliary.length === 0 ? {} : { auxiliaryAddresses: Object.fromEntries(auxiliary) }),
  };
}

/** A subnet that was asked for may lie inside a larger route, but not around an address of the host or another network. */
function refuseOverlap(
  context: ManagerContext,
  name: string,
  driver: NetworkDriver,
  subnet: Prefix,
  taken: readonly Prefix[],
): void {
  const subject = { kind: "network", name };
  for (const { record } of context.networks.values()) {
    if (!record.ipam.config.some((other) => overlaps(parsePrefix(other.subnet), subnet))) continue;
    throw new Conflict(`subnet ${formatPrefix(subnet)} of network ${name} overlaps with network ${record.name}`, {
      subject,
    });
  }
  // Members of a macvlan or ipvlan network are meant to be in the subnet of the parent.
  if (driver !== "bridge") return;
  const obstacle = taken.find((prefix) => contains(subnet, prefix));
  if (obstacle === undefined) return;
  throw new Conflict(
    `subnet ${formatPrefix(subnet)} of network ${name} holds ${formatPrefix(obstacle)}, which the host uses`,
    { subject, remedy: "choose another subnet, or none to have one chosen" },
  );
}
