import type { Clock, Logger } from "@boxship/base";
import type { OutsidePorts } from "./outside/contract.ts";

/**
 * What the network package promises.
 *
 * A **network** is a range of addresses and the device that joins its members. A **sandbox** is a network namespace with
 * what a container needs in it: loopback, parameters, and one interface (an **endpoint**) for each network it is
 * connected to. The namespace is a file that an OCI configuration names; it outlives this program.
 *
 * Durability. Networks are on disk, synced, before `createNetwork` and `removeNetwork` return. Sandboxes, endpoints,
 * addresses and published ports are written to the run directory before the call that made them returns: they survive
 * `kill -9` of the program, and end with the machine, as the namespaces do that they describe. After a crash at any
 * moment `open` and `reconcile` bring kernel and records to agree; a call that had not returned may have happened or not.
 *
 * Ownership. Only the nftables table `<name>-net`, links whose name starts with the instance's prefix, bridges that a
 * network names by option and that were made for it, and files under `root` and `runDir` are changed or removed. Two
 * settings of the host are switched on and stay on: `net.ipv4.ip_forward`, and `net.ipv6.conf.all.forwarding` with the
 * first network that has IPv6 (links with a default route from router advertisements get `accept_ra=2`, or they would
 * lose it).
 *
 * Concurrency. Every method may be called at any time; calls about one sandbox, or one network, run one after another.
 * System calls that wait for the kernel run in a worker thread, which starts when needed and ends when idle.
 *
 * Errors are those of `@boxship/base`: `NotFound`, `AlreadyExists`, `Conflict` (an address, port or device is taken, a
 * network is in use), `InvalidArgument`, `FailedPrecondition`, `PermissionDenied` (predefined networks),
 * `ResourceExhausted` (no free pool, address or port), `Unsupported` (this kernel or this program lacks it),
 * `Internal`.
 */

export type NetworkDriver = "bridge" | "host" | "null" | "macvlan" | "ipvlan" | "cni";

/** One range of addresses of a network. A bridge has at most one for each family. */
export interface IpamConfig {
  /** `address/length`. Absent: taken from the address pools. */
  readonly subnet?: string;
  /** Part of the subnet from which addresses are handed out. @default the whole subnet */
  readonly ipRange?: string;
  /** @default the subnet's first address; none where nothing leads out by one: ipvlan in modes l3 and l3s, internal macvlan and ipvlan */
  readonly gateway?: string;
  /** Addresses that are never handed out, by what they are for. */
  readonly auxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface CreateNetworkOptions {
  readonly name: string;
  /** @default "bridge" */
  readonly driver?: string;
  /** No way out and none in: no default route, no masquerading, no forwarded DNS questions. @default false */
  readonly internal?: boolean;
  /** @default false */
  readonly attachable?: boolean;
  /** @default true */
  readonly enableIPv4?: boolean;
  /** @default false */
  readonly enableIPv6?: boolean;
  readonly ipam?: {
    /** Only `default`. */
    readonly driver?: string;
    readonly config?: readonly IpamConfig[];
    /** Kept and shown as given; the default driver knows none. */
    readonly options?: Readonly<Record<string, string>>;
  };
  /** Of the driver; see `networks/driver-options.ts`. An unknown one is refused. */
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** 64 hex digits. @default random */
  readonly id?: string;
}

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly driver: NetworkDriver;
  readonly scope: "local";
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly ipam: {
    readonly driver: string;
    /** Absent where none were given, not even an empty set: clients see the difference. */
    readonly options?: Readonly<Record<string, string>>;
    readonly config: readonly (IpamConfig & { readonly subnet: string })[];
  };
  /** As given, and for the default bridge as Docker shows them. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** `bridge`, `host` and `none`, which are always there. */
  readonly predefined: boolean;
  /** The bridge, or the parent of a macvlan or ipvlan network. Absent for `host` and `null`. */
  readonly interfaceName?: string;
}

/** The resolver settings of one container, as `--dns`, `--dns-search` and `--dns-option` give them. */
export interface DnsSettings {
  readonly servers?: readonly string[];
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export interface ExtraHost {
  readonly name: string;
  /** An address, or `host-gateway`: the host, as seen from the default bridge. */
  readonly address: string;
}

export interface CreateSandboxOptions {
  readonly hostname: string;
  readonly domainname?: string;
  readonly dns?: DnsSettings;
  readonly extraHosts?: readonly ExtraHost[];
  /** Path of the user namespace that the sandbox's namespace belongs to. @default this process's */
  readonly userNamespace?: string;
  /** `net.…` parameters, set in the namespace. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

/** A network namespace of ours. */
export interface Sandbox {
  readonly id: string;
  /** The file that holds the namespace; what `linux.namespaces[].path` of an OCI configuration takes. */
  readonly path: string;
  readonly endpoints: readonly EndpointRecord[];
  readonly ports: readonly PortBinding[];
}

/** Another container under a name of this container's choice. */
export interface EndpointLink {
  /** Name, alias or id of the other. */
  readonly target: string;
  readonly alias: string;
}

export interface ConnectOptions {
  readonly sandboxId: string;
  readonly networkId: string;
  /** 64 hex digits. @default random */
  readonly endpointId?: string;
  /** The container's name: the first of its DNS names. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly requestedIPv4?: string;
  readonly requestedIPv6?: string;
  /** Further addresses of the interface, /16 for IPv4 and /64 for IPv6, that the network does not keep account of. */
  readonly linkLocalAddresses?: readonly string[];
  readonly macAddress?: string;
  readonly links?: readonly EndpointLink[];
  /** @default the first free of eth0, eth1 … */
  readonly interfaceName?: string;
  /** Of several networks the one with the highest number is the way out; of equals the first by name. @default 0 */
  readonly gatewayPriority?: number;
  /**
   * What it may send and receive; of networks with the driver `bridge`, and of those whose plugins declare the capability
   * `bandwidth`. @default as much as there is
   */
  readonly bandwidth?: Bandwidth;
  /** What plugins of a network with the driver `cni` are told; nobody else heeds it. @default nothing */
  readonly plugins?: PluginFacts;
  /** `com.docker.network.endpoint.ifname`, `com.docker.network.endpoint.sysctls`; others are refused. */
  readonly driverOptions?: Readonly<Record<string, string>>;
}

/** For CNI plugins (CNI's conventions). */
export interface PluginFacts {
  /** Values of `runtimeConfig`, each for those that declare the capability of its name. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Further `KEY=value`s of `CNI_ARGS`. */
  readonly args: Readonly<Record<string, string>>;
  /** Published by a plugin that declares the capability `portMappings`; without one they are not, see `pluginPorts`. */
  readonly ports: readonly PortMapping[];
}

/** Bits a second. */
export interface Bandwidth {
  /** Into the container. @default no limit */
  readonly ingress?: number;
  /** Out of it. @default no limit */
  readonly egress?: number;
}

export interface EndpointAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** Absent where the network is no way out. */
  readonly gateway?: string;
}

export interface EndpointRecord {
  readonly sandboxId: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  /** Empty on the `none` network. */
  readonly interfaceName: string;
  /** Empty where the link has none of its own. */
  readonly mac: string;
  readonly ipv4?: EndpointAddress;
  readonly ipv6?: EndpointAddress;
  /** See {@link ConnectOptions.linkLocalAddresses}. */
  readonly linkLocal?: readonly EndpointAddress[];
  /** Its plugins publish the ports that they were told of. @default nobody does, but for `publish` */
  readonly pluginPorts?: boolean;
  /** Names under which others on the network find it; empty on the default bridge, which has no names. */
  readonly dnsNames: readonly string[];
}

export type PortProtocol = "tcp" | "udp" | "sctp";

export interface PortMapping {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** @default all addresses of the host, both families */
  readonly hostIP?: string;
  /** 0: a free one of the host's ephemeral range. @default 0 */
  readonly hostPort?: number;
  /** With {@link hostPort}, the last of a range of which any free one is taken. @default {@link hostPort} */
  readonly hostPortEnd?: number;
}

/** Published ports, by what they lead to and, where given, by where they are. */
export interface PortSelection {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** As {@link PortBinding} has it, so that one family alone can be taken back. @default any */
  readonly hostIP?: string;
  /** @default any */
  readonly hostPort?: number;
}

/** A published port as it came out: one for each address family. */
export interface PortBinding {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** `0.0.0.0`, `::`, or the address that was asked for. */
  readonly hostIP: string;
  readonly hostPort: number;
}

export interface AddressPool {
  /** `address/length` */
  readonly base: string;
  /** Prefix length of the subnets cut from it. */
  readonly size: number;
}

export interface NetworkManagerOptions {
  /** Where networks are kept. */
  readonly root: string;
  /** Where namespaces and what lives in them are kept; may vanish with a reboot. */
  readonly runDir: string;
  /** Instance name, `[a-z][a-z0-9-]*`, at most 32 characters: begins the names of bridges and of the nftables table. */
  readonly name: string;
  /** @default Docker's: 172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16 in /20s, and a ULA prefix of this machine */
  readonly addressPools?: readonly AddressPool[];
  readonly logger: Logger;
  readonly clock: Clock;
  /** Where configurations of networks with the driver `cni` are looked for. @default "/etc/cni/net.d" */
  readonly cniConfigurations?: string;
  /** Where their plugins are. @default "/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni" */
  readonly cniPlugins?: readonly string[];
  /** Empty namespaces that are kept ready. @default 3 */
  readonly namespacePool?: number;
  /** Milliseconds without work after which the worker thread ends. @default 30000 */
  readonly workerIdle?: number;
  /**
   * Locked while a subnet is chosen and its network made, so that instances on one host keep away from each other; gone
   * again afterwards. @default "/run/boxship-networks.lock"
   */
  readonly subnetLock?: string;
  /** The host's resolver configuration. @default "/etc/resolv.conf" */
  readonly hostResolvConf?: string;
  /** Who publishes ports outside of this process's network namespace. @default clients are in that namespace */
  readonly outsidePorts?: OutsidePorts;
}
