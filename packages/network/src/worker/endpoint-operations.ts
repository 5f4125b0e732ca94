import { Conflict, NotFound, systemCode } from "@boxship/base";
import {
  addAddressRequest,
  createLinkRequest,
  deleteLink,
  findLink,
  type IpvlanFlag,
  type IpvlanMode,
  limitLink,
  type MacvlanMode,
  type NetlinkSocket,
  openNamespace,
  removeRoute,
  replaceRoute,
  setLinkRequest,
  writeNetworkSysctl,
} from "@boxship/kernel";
import type { Bandwidth } from "../contract.ts";
import { filtersBridges } from "../firewall/filters-bridges.ts";
import { formatAddress, lastAddress, parseAddress, prefixOf } from "../ip/prefix.ts";
import type { WorkerContext } from "./context.ts";
import { openResolver, type ResolverSockets, setIPv6 } from "./namespace-operations.ts";

/** How an interface of a container meets the world. */
export type EndpointLinkKind = MadeLinkKind | CniLinkKind;

/** Made by CNI plugins; the host reaches the container by `hostLink`, where there is one. */
export interface CniLinkKind {
  readonly kind: "cni";
  readonly hostLink?: string;
}

/** Those that are made here. */
export type MadeLinkKind =
  | { readonly kind: "veth"; readonly hostName: string; readonly bridge: string; readonly isolated: boolean }
  | { readonly kind: "macvlan"; readonly parent: string; readonly mode: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly parent: string; readonly mode: IpvlanMode; readonly flag: IpvlanFlag };

/** The way out of a namespace for one family. */
export interface DefaultRoute {
  readonly interfaceName: string;
  /** Absent: everything is on the link. */
  readonly gateway?: string;
}

/** Ways out; a family that is left out has none. */
export interface DefaultRoutes {
  readonly ipv4?: DefaultRoute;
  readonly ipv6?: DefaultRoute;
}

export interface AttachEndpoint {
  readonly namespace: string;
  readonly interfaceName: string;
  readonly link: MadeLinkKind;
  readonly mac?: string;
  readonly mtu?: number;
  /** Of a veth. @default no limit */
  readonly bandwidth?: Bandwidth;
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly defaultRoutes: DefaultRoutes;
  /** Whether the namespace has had other interfaces, so that its default routes may have to change. */
  readonly changeDefaultRoutes: boolean;
  /** Open the resolver's sockets too. */
  readonly resolver: boolean;
  /** Links of former owners of these addresses that the kernel may not have taken apart yet. */
  readonly lingering: readonly string[];
}

export interface AttachedEndpoint {
  /** Of the interface in the container; empty when it has none of its own. */
  readonly mac: string;
  readonly resolver?: ResolverSockets;
}

/** Gives a namespace an interface: link, addresses, parameters, routes. When it fails nothing is left of it. */
export function attachEndpoint(context: WorkerContext, request: AttachEndpoint): AttachedEndpoint {
  for (const name of request.lingering) removeLink(context, name);
  createEndpointLink(context.host, request);
  try {
    return context.inside(request.namespace, (route) => configureInside(route, request));
  } catch (error) {
    removeEndpointLink(context, request);
    throw error;
  }
}

function createEndpointLink(host: NetlinkSocket, request: AttachEndpoint): void {
  using namespace = openNamespace(request.namespace);
  const { link, mac, mtu, interfaceName } = request;
  const inner = {
    name: interfaceName,
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    namespace: { fd: namespace.number },
  };
  switch (link.kind) {
    case "veth": {
      const master = indexOf(host, link.bridge);
      const outer = mtu === undefined ? {} : { mtu };
      host.batch([
        createLinkRequest({ name: link.hostName, ...outer, master, kind: { kind: "veth", peer: inner } }),
        // Before it is up: a port of a bridge needs no address of its own, and asking the others costs packets.
        setLinkRequest(link.hostName, {
          generateIPv6LinkLocal: false,
          bridgePort: { isolated: link.isolated, hairpin: filtersBridges() },
        }),
        setLinkRequest(link.hostName, { up: true }),
      ]);
      limitBandwidth(host, link.hostName, request.bandwidth?.ingress);
      return;
    }
    case "macvlan": {
      const parent = indexOf(host, link.parent);
      host.batch([createLinkRequest({ ...inner, kind: { kind: "macvlan", parent, mode: link.mode } })]);
      return;
    }
    case "ipvlan": {
      const parent = indexOf(host, link.parent);
      const kind = { kind: "ipvlan", parent, mode: link.mode, flag: link.flag } as const;
      host.batch([createLinkRequest({ ...inner, kind })]);
      return;
    }
  }
}

/** So long a burst may last at the full rate of the limit, and packets may wait. */
const BURST_SECONDS = 0.05;
const WAIT_SECONDS = 0.25;
/** Of a burst, and of what waits: less is no whole packet, with what the kernel joins of them. */
const LEAST_BYTES = 1 << 17;
const MOST_BYTES = 1 << 30;

/** Limits what a link sends. @param bits a second; undefined: no limit */
function limitBandwidth(route: NetlinkSocket, name: string, bits: number | undefined): void {
  if (bits === undefined) return;
  const bytes = (seconds: number): number =>
    Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.round((bits / 8) * seconds)));
  const limit = { rate: BigInt(Math.ceil(bits / 8)), burst: bytes(BURST_SECONDS), queue: bytes(WAIT_SECONDS) };
  limitLink(route, indexOf(route, name), limit);
}

function indexOf(route: NetlinkSocket, name: string): number {
  const link = findLink(route, name);
  if (link === undefined) {
    throw new NotFound(`network interface ${name} does not exist`, { subject: { kind: "interface", name } });
  }
  return link.index;
}

function configureInside(route: NetlinkSocket, request: AttachEndpoint): AttachedEndpoint {
  const { interfaceName, addresses } = request;
  const link = findLink(route, interfaceName);
  if (link === undefined) throw new Conflict(`interface ${interfaceName} did not arrive in its namespace`);
  if (addresses.some(({ address }) => address.includes(":"))) {
    setIPv6(interfaceName, true);
    // Addresses and routes come from here, not from whoever announces itself on the link.
    writeNetworkSysctl(`net/ipv6/conf/${interfaceName}/accept_ra`, 0);
  }
  for (const [name, value] of Object.entries(request.sysctls)) writeNetworkSysctl(name, value);
  route.batch([
    setLinkRequest(link.index, { up: true }),
    ...addresses.map((address) => {
      return addAddressRequest({ link: link.index, ...address, ...broadcastOf(address), noDuplicateDetection: true });
    }),
  ]);
  changeDefaultRoutes(route, request.defaultRoutes, request.changeDefaultRoutes);
  limitBandwidth(route, interfaceName, request.bandwidth?.egress);
  const mac = request.link.kind === "ipvlan" ? "" : (link.mac ?? "");
  return request.resolver ? { mac, resolver: openResolver(false) } : { mac };
}

/** What programs inside ask the interface for; nothing where there is no such address. */
function broadcastOf({ address, prefixLength }: AttachEndpoint["addresses"][number]): { readonly broadcast?: string } {
  const prefix = prefixOf(parseAddress(address), prefixLength);
  return prefix.family === 4 && prefixLength < 31 ? { broadcast: formatAddress(lastAddress(prefix)) } : {};
}

function changeDefaultRoutes(route: NetlinkSocket, routes: DefaultRoutes, remove: boolean): void {
  for (const family of ["ipv4", "ipv6"] as const) {
    const wanted = routes[family];
    if (wanted === undefined) {
      if (remove) removeDefault(route, family);
      continue;
    }
    // IPv6 keeps routes by different gateways side by side where IPv4 replaces.
    if (remove && family === "ipv6") removeDefault(route, family);
    const link = indexOf(route, wanted.interfaceName);
    const gateway = wanted.gateway === undefined ? {} : { gateway: wanted.gateway };
    replaceRoute(route, { family, link, ...gateway });
  }
}

function removeDefault(route: NetlinkSocket, family: "ipv4" | "ipv6"): void {
  try {
    removeRoute(route, { family });
  } catch (error) {
    // ENOENT: the namespace has no routing table yet.
    if (systemCode(error) !== "ESRCH" && systemCode(error) !== "ENOENT") throw error;
  }
}

function removeEndpointLink(context: WorkerContext, request: DetachEndpoint): void {
  if (request.link.kind === "veth") {
    removeLink(context, request.link.hostName);
    return;
  }
  context.inside(request.namespace, (route) => {
    if (findLink(route, request.interfaceName) !== undefined) deleteLink(route, request.interfaceName);
  });
}

/** Deletes a link of the host; one that is not there is fine. */
export function removeLink(context: WorkerContext, name: string): void {
  try {
    deleteLink(context.host, name);
  } catch (error) {
    if (systemCode(error) !== "ENODEV") throw error;
  }
}

export interface DetachEndpoint {
  readonly namespace: string;
  readonly interfaceName: string;
  readonly link: MadeLinkKind;
}

/** Takes an interface away. Idempotent. Waits for the kernel's grace periods, some 20 ms. */
export function detachEndpoint(context: WorkerContext, request: DetachEndpoint): void {
  removeEndpointLink(context, request);
}

export interface SetDefaultRoutes {
  readonly namespace: string;
  readonly routes: DefaultRoutes;
}

/** Makes these the default routes of a namespace. */
export function setDefaultRoutes(context: WorkerContext, request: SetDefaultRoutes): void {
  context.inside(request.namespace, (route) => changeDefaultRoutes(route, request.routes, true));
}
