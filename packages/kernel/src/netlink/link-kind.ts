import { InvalidArgument } from "@boxship/base";
import type { NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressBytes, addressFamily, macBytes } from "./ip-address.ts";

/** A network namespace as netlink names it: an open descriptor of it, or a process that lives in it. */
export type NamespaceReference = { readonly fd: number } | { readonly pid: number };

/** What both ends of a veth and every other link have. */
export interface LinkSettings {
  /** 1 to 15 bytes without `/` or white space. */
  readonly name?: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** Where the link is created, or moved to. */
  readonly namespace?: NamespaceReference;
  /** Administratively up. */
  readonly up?: boolean;
}

export interface BridgeOptions {
  readonly stp?: boolean;
  /** In hundredths of a second. */
  readonly forwardDelay?: number;
  readonly multicastSnooping?: boolean;
  readonly vlanFiltering?: boolean;
  /** In hundredths of a second. */
  readonly ageingTime?: number;
  /** Hand bridged frames to the host's IPv4 (IPv6) packet filters; needs br_netfilter. */
  readonly netfilterIPv4?: boolean;
  readonly netfilterIPv6?: boolean;
}

export type MacvlanMode = "private" | "vepa" | "bridge" | "passthru";
export type IpvlanMode = "l2" | "l3" | "l3s";
export type IpvlanFlag = "bridge" | "private" | "vepa";

/** What a link is, with the settings of its kind. `parent` is the index of the link beneath. */
export type LinkKind =
  /** The kernel cannot create the peer up: that is a second request, in the peer's namespace. */
  | { readonly kind: "veth"; readonly peer: Omit<LinkSettings, "up"> }
  | ({ readonly kind: "bridge" } & BridgeOptions)
  | { readonly kind: "macvlan"; readonly parent: number; readonly mode?: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly parent: number; readonly mode?: IpvlanMode; readonly flag?: IpvlanFlag }
  | { readonly kind: "vlan"; readonly parent: number; readonly id: number }
  | VxlanKind
  | { readonly kind: "dummy" };

export interface VxlanKind {
  readonly kind: "vxlan";
  /** The network identifier, 0 to 2^24-1. */
  readonly id: number;
  /** The link the tunnel leaves by. */
  readonly parent?: number;
  readonly local?: string;
  /** A remote end or a multicast group. */
  readonly remote?: string;
  /** UDP port. @default 4789 */
  readonly port?: number;
  /** @default true */
  readonly learning?: boolean;
}

const INFO_KIND = 1;
const INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_LINK = 5;
const MACVLAN_MODES: Readonly<Record<MacvlanMode, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const IPVLAN_MODES: Readonly<Record<IpvlanMode, number>> = { l2: 0, l3: 1, l3s: 2 };
const IPVLAN_FLAGS: Readonly<Record<IpvlanFlag, number>> = { bridge: 0, private: 1, vepa: 2 };
const VLAN_ID = 1;
const VXLAN = { id: 1, group: 2, link: 3, local: 4, learning: 7, port: 15, group6: 16, local6: 17 } as const;
const BRIDGE = {
  forwardDelay: 1,
  ageingTime: 4,
  stp: 5,
  vlanFiltering: 7,
  multicastSnooping: 23,
  netfilterIPv4: 36,
  netfilterIPv6: 37,
} as const;

/** Flag and field offsets of `struct ifinfomsg`. */
const IFF_UP = 1;

/** Writes `struct ifinfomsg`. `up` undefined leaves the state as it is. */
export function writeLinkHeader(writer: NetlinkWriter, index: number, up: boolean | undefined): void {
  const header = writer.struct(16);
  header.writeUInt8(AddressFamily.Unspecified, 0);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(up === true ? IFF_UP : 0, 8);
  header.writeUInt32LE(up === undefined ? 0 : IFF_UP, 12);
}

/** Writes name, address, MTU and namespace. Throws {@link InvalidArgument} for a name the kernel would cut or refuse. */
export function writeLinkSettings(writer: NetlinkWriter, settings: LinkSettings): void {
  if (settings.name !== undefined) writer.string(3, checkLinkName(settings.name));
  if (settings.mac !== undefined) writer.bytes(1, macBytes(settings.mac));
  if (settings.mtu !== undefined) writer.u32(4, settings.mtu);
  if (settings.namespace !== undefined) {
    if ("fd" in settings.namespace) writer.u32(28, settings.namespace.fd);
    else writer.u32(19, settings.namespace.pid);
  }
}

/** Returns a name that may be given to a link, or throws {@link InvalidArgument}. */
export function checkLinkName(name: string): string {
  const valid = /^[^/\s:]+$/.test(name) && Buffer.byteLength(name) <= 15 && name !== "." && name !== "..";
  if (!valid) {
    throw new InvalidArgument(`${JSON.stringify(name)} cannot name a network interface`, {
      subject: { kind: "interface", name },
      remedy: "use 1 to 15 bytes without slashes, colons and white space",
    });
  }
  return name;
}

/** Writes the kind and its settings: parent link attribute and `IFLA_LINKINFO`. */
export function writeLinkKind(writer: NetlinkWriter, kind: LinkKind): void {
  if (kind.kind === "macvlan" || kind.kind === "ipvlan" || kind.kind === "vlan") writer.u32(IFLA_LINK, kind.parent);
  writer.nested(18, (info) => {
    info.string(INFO_KIND, kind.kind);
    info.nested(INFO_DATA, (data) => writeKindData(data, kind));
  });
}

function writeKindData(data: NetlinkWriter, kind: LinkKind): void {
  switch (kind.kind) {
    case "veth":
      data.nested(VETH_INFO_PEER, (peer) => {
        writeLinkHeader(peer, 0, undefined);
        writeLinkSettings(peer, kind.peer);
      });
      return;
    case "bridge":
      writeBridge(data, kind);
      return;
    case "macvlan":
      data.u32(1, MACVLAN_MODES[kind.mode ?? "bridge"]);
      return;
    case "ipvlan":
      data.u16(1, IPVLAN_MODES[kind.mode ?? "l2"]);
      data.u16(2, IPVLAN_FLAGS[kind.flag ?? "bridge"]);
      return;
    case "vlan":
      data.u16(VLAN_ID, kind.id);
      return;
    case "vxlan":
      writeVxlan(data, kind);
      return;
    case "dummy":
      return;
  }
}

function writeBridge(data: NetlinkWriter, options: BridgeOptions): void {
  const byte = (type: number, value: boolean | undefined): void => {
    if (value !== undefined) data.u8(type, value ? 1 : 0);
  };
  if (options.forwardDelay !== undefined) data.u32(BRIDGE.forwardDelay, options.forwardDelay);
  if (options.ageingTime !== undefined) data.u32(BRIDGE.ageingTime, options.ageingTime);
  if (options.stp !== undefined) data.u32(BRIDGE.stp, options.stp ? 1 : 0);
  byte(BRIDGE.vlanFiltering, options.vlanFiltering);
  byte(BRIDGE.multicastSnooping, options.multicastSnooping);
  byte(BRIDGE.netfilterIPv4, options.netfilterIPv4);
  byte(BRIDGE.netfilterIPv6, options.netfilterIPv6);
}

function writeVxlan(data: NetlinkWriter, kind: VxlanKind): void {
  const address = (text: string | undefined, type4: number, type6: number): void => {
    if (text === undefined) return;
    data.bytes(addressFamily(text) === AddressFamily.IPv4 ? type4 : type6, addressBytes(text));
  };
  data.u32(VXLAN.id, kind.id);
  if (kind.parent !== undefined) data.u32(VXLAN.link, kind.parent);
  address(kind.remote, VXLAN.group, VXLAN.group6);
  address(kind.local, VXLAN.local, VXLAN.local6);
  data.u8(VXLAN.learning, kind.learning === false ? 0 : 1);
  data.u16Be(VXLAN.port, kind.port ?? 4789);
}
