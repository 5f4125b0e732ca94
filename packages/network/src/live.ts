import { type BoxshipError, type Clock, Internal, type KeyedMutex, type Logger, NotFound } from "@boxship/base";
import type { CniNetworkList } from "./cni/configuration.ts";
import type { PluginHost } from "./cni/plugin.ts";
import type { AddressPool, NetworkRecord } from "./contract.ts";
import type { ResolverServer } from "./dns/resolver-server.ts";
import type { UpstreamServer, Upstreams } from "./dns/upstreams.ts";
import type { Firewall } from "./firewall/firewall.ts";
import type { FirewallNetwork, FirewallPort } from "./firewall/ruleset.ts";
import { FamilyAddresses } from "./ipam/family-addresses.ts";
import { type BridgeSettings, type DriverSettings, parseDriverOptions } from "./networks/driver-options.ts";
import type { OutsidePorts } from "./outside/contract.ts";
import type { PortChooser } from "./ports/port-chooser.ts";
import type { Reservation } from "./ports/reservation.ts";
import type { LingeringLinks } from "./sandbox/lingering-links.ts";
import type { NamespacePool } from "./sandbox/namespace-pool.ts";
import type { AttachmentStore } from "./state/attachment-store.ts";
import type { NetworkStore } from "./state/network-store.ts";
import type { SandboxStore } from "./state/sandbox-store.ts";
import type { StoredEndpoint, StoredNetwork, StoredSandbox } from "./state/stored.ts";
import type { NetworkThread } from "./worker/network-thread.ts";

/** A domain whose names one server knows. */
export interface ForwardedZone {
  /** In lower case, without dots around it. */
  readonly name: string;
  readonly server: UpstreamServer;
}

/** What every verb of the manager works with. */
export interface ManagerContext {
  readonly name: string;
  readonly root: string;
  readonly runDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly addressPools: readonly AddressPool[];
  readonly hostResolvConf: string;
  readonly subnetLock: string;
  readonly outsidePorts: OutsidePorts | undefined;
  readonly thread: NetworkThread;
  readonly firewall: Firewall;
  readonly pool: NamespacePool;
  readonly networkStore: NetworkStore;
  readonly sandboxStore: SandboxStore;
  readonly portChooser: PortChooser;
  readonly upstreams: Upstreams;
  /** Names that others than the usual servers are asked for, by sandboxes that are led out. */
  zones: readonly ForwardedZone[];
  /** Serialises calls about one sandbox (by id), and changes of the set of networks (`networks`). */
  readonly locks: KeyedMutex;
  readonly networks: Map<string, LiveNetwork>;
  readonly sandboxes: Map<string, LiveSandbox>;
  readonly lingering: LingeringLinks;
  readonly attachments: AttachmentStore;
  /** How CNI plugins are run. */
  readonly cni: PluginHost;
  readonly cniConfigurations: string;
  /** Why there is no default bridge; cleared once there is. */
  bridgeProblem: BoxshipError | undefined;
}

/** A network with what is only known while the program runs. */
export class LiveNetwork {
  #stored: StoredNetwork;
  readonly settings: DriverSettings;
  readonly ipv4: FamilyAddresses | undefined;
  readonly ipv6: FamilyAddresses | undefined;
  /** Endpoints by id, those included that are still being made. */
  readonly endpoints = new Map<string, StoredEndpoint>();
  /** Connections that are being made; a network with any is in use. */
  pending = 0;
  /** Of the members' interfaces; undefined leaves it to the kernel. */
  mtu: number | undefined;
  /** Why its device could not be made when the program started. */
  problem: unknown;
  readonly #names = new Map<string, Set<StoredEndpoint>>();
  readonly #addresses = new Map<string, StoredEndpoint>();

  constructor(stored: StoredNetwork) {
    this.#stored = stored;
    this.settings = parseDriverOptions(stored.record.driver, stored.record.options);
    this.ipv4 = familyAddresses(stored.record, ".");
    this.ipv6 = familyAddresses(stored.record, ":");
  }

  get stored(): StoredNetwork {
    return this.#stored;
  }

  get record(): NetworkRecord {
    return this.#stored.record;
  }

  /** Its configuration has changed. To be written down by the caller. */
  setCni(cni: CniNetworkList): void {
    this.#stored = { ...this.#stored, cni };
  }

  /** Takes over a link that was made for `other`, which is on its way out. To be written down by the caller. */
  inheritInterface({ ownsInterface, createParent }: StoredNetwork): void {
    this.#stored = { ...this.#stored, ownsInterface, ...(createParent === undefined ? {} : { createParent }) };
  }

  /** Its members find each other by name: all networks but the predefined ones and those that say otherwise. */
  get hasNames(): boolean {
    return !this.record.predefined && !("names" in this.settings && !this.settings.names);
  }

  add(endpoint: StoredEndpoint): void {
    this.endpoints.set(endpoint.endpointId, endpoint);
    for (const name of endpoint.dnsNames) {
      const key = name.toLowerCase();
      const members = this.#names.get(key) ?? new Set();
      this.#names.set(key, members.add(endpoint));
    }
    for (const address of [endpoint.ipv4?.address, endpoint.ipv6?.address]) {
      if (address !== undefined) this.#addresses.set(address, endpoint);
    }
  }

  /** Takes an endpoint out and gives its addresses back. */
  delete(endpoint: StoredEndpoint): void {
    this.forget(endpoint);
    if (endpoint.ipv4 !== undefined) this.ipv4?.release(endpoint.ipv4.address);
    if (endpoint.ipv6 !== undefined) this.ipv6?.release(endpoint.ipv6.address);
  }

  /** Takes an endpoint out but keeps its addresses in use: another version of it follows. */
  forget(endpoint: StoredEndpoint): void {
    const known = this.endpoints.get(endpoint.endpointId);
    if (known === undefined) return;
    this.endpoints.delete(known.endpointId);
    for (const name of known.dnsNames) {
      const key = name.toLowerCase();
      const members = this.#names.get(key);
      members?.delete(known);
      if (members?.size === 0) this.#names.delete(key);
    }
    for (const address of [known.ipv4?.address, known.ipv6?.address]) {
      if (address !== undefined) this.#addresses.delete(address);
    }
  }

  /** @param name in lower case */
  endpointsByName(name: string): ReadonlySet<StoredEndpoint> | undefined {
    return this.#names.get(name);
  }

  endpointByAddress(address: string): StoredEndpoint | undefined {
    return this.#addresses.get(address);
  }
}

/** By the sign that addresses of the family have. */
function familyAddresses(record: NetworkRecord, sign: "." | ":"): FamilyAddresses | undefined {
  const configs = record.ipam.config.filter(({ subnet }) => subnet.includes(sign));
  return configs.length === 0 ? undefined : new FamilyAddresses(record.name, configs);
}

/** A sandbox with what is only known while the program runs. */
export interface LiveSandbox {
  stored: StoredSandbox;
  /** Of the host's ports, one for each binding. */
  readonly reservations: Reservation[];
  /** Its elements in the firewall. */
  firewallPorts: readonly FirewallPort[];
  resolver: ResolverServer | undefined;
}

/** The sandbox. Throws {@link NotFound}. */
export function requireSandbox(context: ManagerContext, id: string): LiveSandbox {
  const sandbox = context.sandboxes.get(id);
  if (sandbox === undefined) throw new NotFound(`no such sandbox: ${id}`, { subject: { kind: "sandbox", name: id } });
  return sandbox;
}

/** The network of an endpoint, which is there as long as the endpoint is. */
export function networkOf(context: ManagerContext, endpoint: StoredEndpoint): LiveNetwork {
  const network = context.networks.get(endpoint.networkId);
  if (network === undefined) throw new Internal(`endpoint ${endpoint.endpointId} belongs to no network`);
  return network;
}

/** What the firewall must know of a network; undefined where it has nothing to do with it. */
export function firewallNetwork(network: LiveNetwork): FirewallNetwork | undefined {
  const { record, settings } = network;
  if (settings.driver !== "bridge" || record.interfaceName === undefined) return undefined;
  const subnets = record.ipam.config.map(({ subnet }) => subnet);
  return {
    bridge: record.interfaceName,
    internal: record.internal,
    masquerade: settings.masquerade,
    interContainer: settings.interContainer,
    subnets4: subnets.filter((subnet) => !subnet.includes(":")),
    subnets6: subnets.filter((subnet) => subnet.includes(":")),
  };
}

/** The settings of a bridge network, or undefined for another driver. */
export function bridgeSettings(network: LiveNetwork): BridgeSettings | undefined {
  return network.settings.driver === "bridge" ? network.settings : undefined;
}
