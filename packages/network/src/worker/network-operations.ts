import { Conflict, systemCode, Unsupported } from "@boxship/base";
import {
  addAddress,
  createLink,
  findLink,
  type Link,
  type LinkAddress,
  listAddresses,
  listLinks,
  listRoutes,
  type NetlinkSocket,
  type Route,
  RouteProtocol,
  readNetworkSysctl,
  setLink,
  writeNetworkSysctl,
} from "@boxship/kernel";
import type { WorkerContext } from "./context.ts";
import { setIPv6 } from "./namespace-operations.ts";

/** Links, addresses and routes of the host. */
export interface HostState {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly Route[];
}

export function readHostState(context: WorkerContext): HostState {
  return {
    links: listLinks(context.host),
    addresses: listAddresses(context.host),
    routes: listRoutes(context.host, { table: 0 }),
  };
}

export interface EnsureBridge {
  readonly name: string;
  /** Marks the bridge as ours; undefined for one that was there before. */
  readonly alias?: string;
  readonly mac: string;
  readonly mtu?: number;
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[];
}

/**
 * Makes sure that a bridge is there, up, and has the addresses. Returns whether it was made. Throws {@link Conflict} when
 * another kind of link has the name.
 */
export function ensureBridge(context: WorkerContext, request: EnsureBridge): boolean {
  const { host } = context;
  const existing = findLink(host, request.name);
  if (existing !== undefined && existing.kind !== "bridge") {
    throw new Conflict(`network interface ${request.name} exists and is no bridge`, {
      subject: { kind: "interface", name: request.name },
    });
  }
  const mtu = request.mtu === undefined ? {} : { mtu: request.mtu };
  if (existing === undefined) {
    createLink(host, { name: request.name, mac: request.mac, ...mtu, kind: { kind: "bridge" } });
    if (request.alias !== undefined) setLink(host, request.name, { alias: request.alias });
  }
  // Without this, published ports are not reached from 127.0.0.1 of the host.
  writeNetworkSysctl(`net/ipv4/conf/${request.name}/route_localnet`, 1);
  const hasIPv6 = request.addresses.some(({ address }) => address.includes(":"));
  if (existing === undefined || hasIPv6) setIPv6(request.name, hasIPv6);
  if (hasIPv6) writeNetworkSysctl(`net/ipv6/conf/${request.name}/accept_ra`, 0);
  setLink(host, request.name, { up: true });
  addMissing(host, request);
  return existing === undefined;
}

/** Lets 127.0.0.1 of the host be translated to what is behind a link that somebody else made. */
export function routeLocalnet(_context: WorkerContext, link: string): void {
  writeNetworkSysctl(`net/ipv4/conf/${link}/route_localnet`, 1);
}

function addMissing(host: NetlinkSocket, request: EnsureBridge): void {
  const index = findLink(host, request.name)?.index ?? 0;
  for (const address of request.addresses) {
    try {
      addAddress(host, { link: index, ...address, noDuplicateDetection: true });
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
}

export type ParentKind =
  | { readonly kind: "dummy" }
  | { readonly kind: "vlan"; readonly on: string; readonly id: number };

export interface EnsureParent {
  readonly name: string;
  /** How it is made when it is not there. @default it must be there */
  readonly create?: ParentKind;
  readonly alias?: string;
}

/** Makes sure that the parent of a macvlan or ipvlan network is there and up. Returns whether it was made. */
export function ensureParent(context: WorkerContext, request: EnsureParent): boolean {
  const { host } = context;
  const existing = findLink(host, request.name);
  if (existing === undefined) {
    if (request.create === undefined) throw noParent(request.name);
    createParent(host, request.name, request.create);
    if (request.alias !== undefined) setLink(host, request.name, { alias: request.alias });
  }
  if (existing?.up !== true) setLink(host, request.name, { up: true });
  return existing === undefined;
}

function createParent(host: NetlinkSocket, name: string, create: ParentKind): void {
  if (create.kind === "dummy") {
    createDummy(host, name);
    return;
  }
  const below = findLink(host, create.on);
  if (below === undefined) throw noParent(create.on);
  try {
    createLink(host, { name, kind: { kind: "vlan", parent: below.index, id: create.id } });
  } catch (error) {
    if (systemCode(error) !== "EOPNOTSUPP") throw error;
    throw new Unsupported("this kernel has no vlan links", {
      cause: error,
      subject: { kind: "interface", name },
      remedy: "name an existing interface with -o parent=",
    });
  }
}

/**
 * Asks for a link without a parent, which no kernel makes: one that has the kind says that the parent is missing.
 *
 * @throws Unsupported when this kernel has no such links
 */
export function requireLinkKind({ host }: WorkerContext, kind: "macvlan" | "ipvlan"): void {
  try {
    createLink(host, { kind: { kind, parent: 0 } });
  } catch (cause) {
    if (systemCode(cause) !== "EOPNOTSUPP") return;
    throw new Unsupported(`this kernel has no ${kind} links`, {
      cause,
      remedy: `load its module (modprobe ${kind}), or use another driver`,
    });
  }
}

/** A link that leads nowhere: where the kernel has no dummies, a bridge without ports. */
function createDummy(host: NetlinkSocket, name: string): void {
  try {
    createLink(host, { name, kind: { kind: "dummy" } });
  } catch (error) {
    if (systemCode(error) !== "EOPNOTSUPP") throw error;
    createLink(host, { name, kind: { kind: "bridge" } });
  }
}

function noParent(name: string): Conflict {
  return new Conflict(`parent interface ${name} does not exist`, { subject: { kind: "interface", name } });
}

/** Lets the host forward packets. IPv6 only when asked, as it changes how the host treats router advertisements. */
export function enableForwarding(context: WorkerContext, families: { readonly ipv6: boolean }): void {
  if (readNetworkSysctl("net.ipv4.ip_forward") !== "1") writeNetworkSysctl("net.ipv4.ip_forward", 1);
  if (!families.ipv6) return;
  const forwarding = "net.ipv6.conf.all.forwarding";
  if (readNetworkSysctl(forwarding) === "1") return;
  for (const name of advertisedLinks(context.host)) writeNetworkSysctl(`net/ipv6/conf/${name}/accept_ra`, 2);
  writeNetworkSysctl(forwarding, 1);
}

/** Links whose default route came by router advertisement: a forwarding host listens to those no longer, unless told. */
function advertisedLinks(host: NetlinkSocket): string[] {
  const names = new Map(listLinks(host).map((link) => [link.index, link.name]));
  return listRoutes(host)
    .filter(({ family, destination, protocol }) => {
      return family === "ipv6" && destination === undefined && protocol === RouteProtocol.RouterAdvertisement;
    })
    .flatMap(({ link }) => names.get(link ?? -1) ?? []);
}
