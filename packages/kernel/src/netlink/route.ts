import { Attributes, NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressBytes, addressFamily, addressText } from "./ip-address.ts";
import { MessageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkRequest, NetlinkSocket } from "./socket.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const HEADER = 12;
const TABLE_MAIN = 254;
const TABLE_UNSPECIFIED = 0;
const PROTOCOL_STATIC = 4;
const RTM_F_CLONED = 0x200;
const Attribute = { destination: 1, outgoing: 4, gateway: 5, priority: 6, source: 7, multipath: 9, table: 15 } as const;
const ScopeNumber = { universe: 0, link: 253, host: 254, any: 255 } as const;
const TypeNumber = { unicast: 1, local: 2, broadcast: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

export type RouteType = keyof typeof TypeNumber;

/** Who installed a route, by the kernel's numbers; others exist. */
export const RouteProtocol = { Kernel: 2, Boot: 3, Static: 4, RouterAdvertisement: 9, Dhcp: 16 } as const;

export interface Route {
  readonly family: "ipv4" | "ipv6";
  /** `address/length`; undefined is the default route. */
  readonly destination: string | undefined;
  readonly gateway: string | undefined;
  /** Index of the outgoing link. Undefined for routes over several links. */
  readonly link: number | undefined;
  readonly source: string | undefined;
  readonly metric: number;
  readonly table: number;
  /** A {@link RouteProtocol} or another number. */
  readonly protocol: number;
  /** undefined for types that this module does not name. */
  readonly type: RouteType | undefined;
}

export interface NewRoute {
  readonly family: "ipv4" | "ipv6";
  /** `address/length`. @default the default route */
  readonly destination?: string;
  readonly gateway?: string;
  readonly link?: number;
  readonly source?: string;
  readonly metric?: number;
  /** @default 254, the main table */
  readonly table?: number;
  /** @default "unicast" */
  readonly type?: RouteType;
  /** The gateway is reached on the link although no address covers it. @default false */
  readonly onLink?: boolean;
}

/** Adds a route. Fails with `EEXIST` when there is one to the same destination with the same metric. */
export function addRoute(socket: NetlinkSocket, route: NewRoute): void {
  socket.request(addRouteRequest(route));
}

/** {@link addRoute} as a request for {@link NetlinkSocket.batch}. */
export function addRouteRequest(route: NewRoute): NetlinkRequest {
  return changeRequest(RTM_NEWROUTE, MessageFlag.Create | MessageFlag.Exclusive, route, "add");
}

/** Adds a route or takes the place of the one to the same destination with the same metric. */
export function replaceRoute(socket: NetlinkSocket, route: NewRoute): void {
  socket.request(changeRequest(RTM_NEWROUTE, MessageFlag.Create | MessageFlag.Replace, route, "replace"));
}

/** Removes a route; what is left undefined matches anything. Fails with `ESRCH` when there is none. */
export function removeRoute(socket: NetlinkSocket, route: NewRoute): void {
  socket.request(changeRequest(RTM_DELROUTE, 0, route, "remove"));
}

function changeRequest(type: number, flags: number, route: NewRoute, verb: string): NetlinkRequest {
  const writer = new NetlinkWriter();
  const [destination, length] = splitPrefix(route.destination);
  const routeType = route.type ?? "unicast";
  const table = route.table ?? TABLE_MAIN;
  const header = writer.struct(HEADER);
  header.writeUInt8(route.family === "ipv4" ? AddressFamily.IPv4 : AddressFamily.IPv6, 0);
  header.writeUInt8(length, 1);
  header.writeUInt8(table > 255 ? TABLE_UNSPECIFIED : table, 4);
  if (type === RTM_NEWROUTE) header.writeUInt8(PROTOCOL_STATIC, 5);
  header.writeUInt8(type === RTM_NEWROUTE ? scopeOf(route, routeType) : ScopeNumber.any, 6);
  header.writeUInt8(type === RTM_NEWROUTE || route.type !== undefined ? TypeNumber[routeType] : 0, 7);
  header.writeUInt32LE(route.onLink === true ? 4 : 0, 8);
  if (destination !== undefined) writer.bytes(Attribute.destination, addressBytes(destination));
  if (route.gateway !== undefined) writer.bytes(Attribute.gateway, addressBytes(route.gateway));
  if (route.source !== undefined) writer.bytes(Attribute.source, addressBytes(route.source));
  if (route.link !== undefined) writer.u32(Attribute.outgoing, route.link);
  if (route.metric !== undefined) writer.u32(Attribute.priority, route.metric);
  if (table > 255) writer.u32(Attribute.table, table);
  const via = route.gateway === undefined ? "" : ` via ${route.gateway}`;
  return { type, flags, payload: writer.finish(), about: `${verb} route ${route.destination ?? "default"}${via}` };
}

function scopeOf(route: NewRoute, type: RouteType): number {
  if (type === "local") return ScopeNumber.host;
  const direct = type === "unicast" && route.gateway === undefined && route.family === "ipv4";
  return direct ? ScopeNumber.link : ScopeNumber.universe;
}

function splitPrefix(prefix: string | undefined): readonly [address: string | undefined, length: number] {
  if (prefix === undefined) return [undefined, 0];
  const [address = "", length] = prefix.split("/");
  const full = addressFamily(address) === AddressFamily.IPv4 ? 32 : 128;
  return [address, length === undefined ? full : Number(length)];
}

export interface RouteFilter {
  /** Only this table. @default 254, the main table; 0 lists all tables */
  readonly table?: number;
}

/** The routes of both families in the socket's namespace. */
export function listRoutes(socket: NetlinkSocket, filter: RouteFilter = {}): Route[] {
  const table = filter.table ?? TABLE_MAIN;
  return [AddressFamily.IPv4, AddressFamily.IPv6].flatMap((family) => {
    const writer = new NetlinkWriter();
    writer.struct(HEADER).writeUInt8(family, 0);
    const messages = socket.dump({ type: RTM_GETROUTE, payload: writer.finish(), about: "list routes" });
    return messages
      .flatMap((message) => decodeRoute(message) ?? [])
      .filter((route) => table === TABLE_UNSPECIFIED || route.table === table);
  });
}

function decodeRoute({ payload }: NetlinkMessage): Route | undefined {
  if ((payload.readUInt32LE(8) & RTM_F_CLONED) !== 0) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER));
  const text = (type: number): string | undefined => {
    const bytes = attributes.get(type);
    return bytes === undefined ? undefined : addressText(bytes);
  };
  const destination = text(Attribute.destination);
  const typeNumber = payload.readUInt8(7);
  const type = (Object.keys(TypeNumber) as RouteType[]).find((name) => TypeNumber[name] === typeNumber);
  return {
    family: payload.readUInt8(0) === AddressFamily.IPv4 ? "ipv4" : "ipv6",
    destination: destination === undefined ? undefined : `${destination}/${payload.readUInt8(1)}`,
    gateway: text(Attribute.gateway),
    link: attributes.u32(Attribute.outgoing),
    source: text(Attribute.source),
    metric: attributes.u32(Attribute.priority) ?? 0,
    table: attributes.u32(Attribute.table) ?? payload.readUInt8(4),
    protocol: payload.readUInt8(5),
    type,
  };
}
