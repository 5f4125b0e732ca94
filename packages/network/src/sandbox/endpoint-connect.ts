import { randomBytes } from "node:crypto";
import { Conflict, InvalidArgument, systemCode, Unsupported } from "@boxship/base";
import { addressBytes } from "@boxship/kernel";
import type { ConnectOptions, EndpointAddress, EndpointRecord } from "../contract.ts";
import { startResolver } from "../dns/start-resolver.ts";
import { parseAddress, parsePrefix } from "../ip/prefix.ts";
import type { FamilyAddresses } from "../ipam/family-addresses.ts";
import { type LiveNetwork, type LiveSandbox, type ManagerContext, requireSandbox } from "../live.ts";
import { macForAddress, vethName } from "../names.ts";
import { findNetwork } from "../networks/network-get.ts";
import { raiseDevice } from "../networks/network-raise.ts";
import { movePorts } from "../ports/ports-publish.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import type { AttachEndpoint, AttachedEndpoint, MadeLinkKind } from "../worker/endpoint-operations.ts";
import { makeCniInterface } from "./cni-interface.ts";
import { endpointSysctls, parseEndpointOptions } from "./endpoint-options.ts";
import { welcomeGuest } from "./guests.ts";
import { removeInterface } from "./interface-remove.ts";
import { chooseGateways, defaultRoutes } from "./routes.ts";
import { updateSandbox } from "./sandbox-create.ts";

/** Gives a sandbox an interface on a network, with addresses, names and routes. */
export async function connectEndpoint(context: ManagerContext, options: ConnectOptions): Promise<EndpointRecord> {
  return await context.locks.run(`sandbox ${options.sandboxId}`, async () => {
    const sandbox = requireSandbox(context, options.sandboxId);
    const network = findNetwork(context, options.networkId);
    refuseConnection(sandbox, network, options);
    network.pending++;
    try {
      const endpoint = planEndpoint(sandbox, network, options);
      try {
        return await addEndpoint(context, sandbox, network, endpoint, options);
      } catch (error) {
        network.delete(endpoint);
        throw error;
      }
    } finally {
      network.pending--;
    }
  });
}

function refuseConnection(sandbox: LiveSandbox, { record }: LiveNetwork, options: ConnectOptions): void {
  const subject = { kind: "sandbox", name: sandbox.stored.id };
  const { endpoints } = sandbox.stored;
  if (record.driver === "host") {
    throw new InvalidArgument("a sandbox has a network namespace of its own and cannot join the host's network", {
      subject,
    });
  }
  if (endpoints.some(({ networkId }) => networkId === record.id)) {
    throw new Conflict(`container ${options.name} is already attached to network ${record.name}`, { subject });
  }
  const other = endpoints.find(({ interfaceName }) => interfaceName === "");
  if ((record.driver === "null" && endpoints.length > 0) || other !== undefined) {
    throw new InvalidArgument(
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
      { subject },
    );
  }
}

function planEndpoint(sandbox: LiveSandbox, network: LiveNetwork, options: ConnectOptions): StoredEndpoint {
  const { record } = network;
  const driverOptions = parseEndpointOptions(options.driverOptions ?? {});
  const endpointId = options.endpointId ?? randomBytes(32).toString("hex");
  const interfaceName = chooseInterface(sandbox, network, driverOptions.interfaceName ?? options.interfaceName);
  const { ipv4, ipv6 } = record.driver === "cni" ? {} : takeAddresses(network, options);
  const address = ipv4?.address ?? ipv6?.address;
  const mac = options.macAddress ?? (address === undefined ? "" : macForAddress(addressBytes(address)));
  return {
    sandboxId: sandbox.stored.id,
    networkId: record.id,
    networkName: record.name,
    endpointId,
    interfaceName,
    mac: record.driver === "ipvlan" || record.driver === "null" ? "" : mac,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(options.linkLocalAddresses?.length ? { linkLocal: options.linkLocalAddresses.map(linkLocalAddress) } : {}),
    name: options.name,
    aliases: options.aliases ?? [],
    links: options.links ?? [],
    gatewayPriority: options.gatewayPriority ?? 0,
    dnsNames: network.hasNames ? endpointNames(sandbox, options.name, options.aliases ?? []) : [],
  };
}

/** As Docker has them: addresses besides those of the network, which nobody keeps account of. */
function linkLocalAddress(text: string): EndpointAddress {
  const { family } = parseAddress(text);
  return { address: text, prefixLength: family === 4 ? 16 : 64 };
}

/** Under which names others find an endpoint: the container's, its aliases, its short id and its host name. */
export function endpointNames(sandbox: LiveSandbox, name: string, aliases: readonly string[]): string[] {
  const { id, hostname } = sandbox.stored;
  return [...new Set([name, ...aliases, id.slice(0, 12), hostname])].filter((text) => text !== "");
}

function takeAddresses(network: LiveNetwork, options: ConnectOptions): Pick<StoredEndpoint, "ipv4" | "ipv6"> {
  const ipv4 = takeAddress(network, network.ipv4, ".", options.requestedIPv4);
  try {
    const ipv6 = takeAddress(network, network.ipv6, ":", options.requestedIPv6);
    return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
  } catch (error) {
    if (ipv4 !== undefined) network.ipv4?.release(ipv4.address);
    throw error;
  }
}

function takeAddress(
  network: LiveNetwork,
  set: FamilyAddresses | undefined,
  sign: "." | ":",
  requested: string | undefined,
): EndpointAddress | undefined {
  if (set === undefined) {
    if (requested === undefined) return undefined;
    const family = sign === "." ? "IPv4" : "IPv6";
    throw new InvalidArgument(`network ${network.record.name} has no ${family} subnet for address ${requested}`, {
      subject: { kind: "network", name: network.record.name },
    });
  }
  const { address, config } = requested === undefined ? set.allocate() : set.claim(requested);
  const gateway = network.record.internal ? undefined : config.gateway;
  const prefixLength = parsePrefix(config.subnet).length;
  return { address, prefixLength, ...(gateway === undefined ? {} : { gateway }) };
}

function chooseInterface(sandbox: LiveSandbox, network: LiveNetwork, wanted: string | undefined): string {
  const { settings } = network;
  if (settings.driver === "null" || settings.driver === "host") return "";
  const used = new Set(sandbox.stored.endpoints.map(({ interfaceName }) => interfaceName));
  if (wanted !== undefined) {
    if (!used.has(wanted) && wanted !== "lo") return wanted;
    throw new Conflict(`interface ${wanted} exists in the container already`, {
      subject: { kind: "interface", name: wanted },
    });
  }
  for (let number = 0; ; number++) {
    const name = `${settings.interfacePrefix}${number}`;
    if (!used.has(name)) return name;
  }
}

async function addEndpoint(
  context: ManagerContext,
  sandbox: LiveSandbox,
  network: LiveNetwork,
  planned: StoredEndpoint,
  options: ConnectOptions,
): Promise<EndpointRecord> {
  const before = sandbox.stored.endpoints;
  const record = await makeInterface(context, sandbox, network, planned, options);
  try {
    updateSandbox(context, sandbox, { endpoints: [...before, record] });
    network.add(record);
    await welcomeGuest(context, record);
    await movePorts(context, sandbox);
  } catch (error) {
    await removeInterface(context, sandbox, record);
    if (sandbox.stored.endpoints !== before) updateSandbox(context, sandbox, { endpoints: before });
    throw error;
  }
  return record;
}

/** Makes the interface, and with it the sandbox's resolver when it has none yet; the endpoint as it came out. */
async function makeInterface(
  context: ManagerContext,
  sandbox: LiveSandbox,
  network: LiveNetwork,
  planned: StoredEndpoint,
  options: ConnectOptions,
): Promise<StoredEndpoint> {
  if (options.bandwidth !== undefined && !["bridge", "cni"].includes(network.settings.driver)) {
    throw new Unsupported(
      `network ${network.record.name} cannot limit bandwidth: only those with the drivers bridge and cni can`,
    );
  }
  if (network.settings.driver === "cni") return await makeCniInterface(context, sandbox, network, planned, options);
  const link = linkKind(context, network);
  if (link === undefined) return planned;
  const attached = await attach(context, sandbox, network, planned, link, options);
  if (attached.resolver !== undefined) startResolver(context, sandbox, attached.resolver);
  return { ...planned, link, mac: attached.mac };
}

function linkKind(context: ManagerContext, network: LiveNetwork): MadeLinkKind | undefined {
  const { settings, record } = network;
  const device = record.interfaceName ?? "";
  if (settings.driver === "bridge") {
    return { kind: "veth", hostName: vethName(context.name), bridge: device, isolated: !settings.interContainer };
  }
  if (settings.driver === "macvlan") return { kind: "macvlan", parent: device, mode: settings.mode };
  if (settings.driver === "ipvlan") {
    return { kind: "ipvlan", parent: device, mode: settings.mode, flag: settings.flag };
  }
  return undefined;
}

async function attach(
  context: ManagerContext,
  sandbox: LiveSandbox,
  network: LiveNetwork,
  endpoint: StoredEndpoint,
  link: MadeLinkKind,
  options: ConnectOptions,
): Promise<AttachedEndpoint> {
  const { path, endpoints } = sandbox.stored;
  const addresses = [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== undefined);
  const request: AttachEndpoint = {
    namespace: path,
    interfaceName: endpoint.interfaceName,
    link,
    ...(endpoint.mac === "" ? {} : { mac: endpoint.mac }),
    ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
    addresses: [...addresses, ...(endpoint.linkLocal ?? [])],
    ...(options.bandwidth === undefined ? {} : { bandwidth: options.bandwidth }),
    sysctls: endpointSysctls(endpoint.interfaceName, options),
    defaultRoutes: defaultRoutes(chooseGateways(context, [...endpoints, endpoint])),
    changeDefaultRoutes: endpoints.length > 0,
    resolver: network.hasNames && sandbox.resolver === undefined,
    lingering: takeLingering(context, addresses),
  };
  try {
    return await context.thread.call("attachEndpoint", request);
  } catch (error) {
    const { interfaceName } = network.record;
    if (systemCode(error) !== "NotFound" || interfaceName === undefined) throw error;
    // Somebody may have deleted the bridge, as network configuration services do with what they did not make.
    if (!(await raiseDevice(context, network, await context.thread.call("readHostState", undefined)))) throw error;
    context.logger.warn("a network's device was gone and is made again", { interface: interfaceName });
    return await context.thread.call("attachEndpoint", request);
  }
}

function takeLingering(context: ManagerContext, addresses: readonly EndpointAddress[]): string[] {
  return addresses.flatMap(({ address }) => context.lingering.take(address) ?? []);
}
