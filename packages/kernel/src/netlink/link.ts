import { systemCode } from "@boxship/base";
import { Attributes, NetlinkWriter } from "./attributes.ts";
import { macText } from "./ip-address.ts";
import {
  checkLinkName,
  type LinkKind,
  type LinkSettings,
  writeLinkHeader,
  writeLinkKind,
  writeLinkSettings,
} from "./link-kind.ts";
import { MessageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkRequest, NetlinkSocket } from "./socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const LINK_MESSAGE_SIZE = 16;
const INFO_SLAVE_KIND = 4;
const INFO_SLAVE_DATA = 5;
const BRIDGE_PORT_HAIRPIN = 4;
const BRIDGE_PORT_ISOLATED = 33;
const ADDRESS_GENERATION_NONE = 1;
const IFF_UP = 1;
const IFF_LOOPBACK = 8;

/** `struct ifinfomsg` attributes. */
const Attribute = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  operState: 16,
  linkInfo: 18,
  alias: 20,
  afSpec: 26,
  group: 27,
  linkNamespace: 37,
  alternativeName: 53,
} as const;

/** A network interface as the kernel lists it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Administratively up. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** Carrier present and protocol running (`IF_OPER_UP`). */
  readonly running: boolean;
  readonly mtu: number;
  readonly mac: string | undefined;
  /** Index of the bridge or bond this link is a port of. */
  readonly master: number | undefined;
  /** `veth`, `bridge` …; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  /** Index of the link beneath, or of a veth's peer (then in `parentNamespace` if that is set). */
  readonly parent: number | undefined;
  readonly parentNamespace: number | undefined;
  readonly alias: string | undefined;
  readonly group: number;
  /** For a port of a bridge: cannot reach other isolated ports. */
  readonly isolated: boolean;
}

export interface NewLink extends LinkSettings {
  readonly kind: LinkKind;
  /** Index of the bridge this link becomes a port of. */
  readonly master?: number;
  readonly group?: number;
}

/** What {@link setLink} changes; what is left out stays. */
export interface LinkChange extends LinkSettings {
  /** Index of the new master; 0 takes the link out of its master. */
  readonly master?: number;
  /** Shown by tools; at most 255 bytes. */
  readonly alias?: string;
  readonly group?: number;
  /** For a port of a bridge. */
  readonly bridgePort?: { readonly isolated?: boolean; readonly hairpin?: boolean };
  /** false: the kernel gives the link no IPv6 link-local address of its own when it comes up. */
  readonly generateIPv6LinkLocal?: boolean;
}

/** A link by index, or by name (alternative names included). */
export type LinkReference = number | string;

/** Creates a link and, for a veth, its peer. Fails with `EEXIST` when the name is taken. */
export function createLink(socket: NetlinkSocket, link: NewLink): void {
  socket.request(createLinkRequest(link));
}

/** {@link createLink} as a request for {@link NetlinkSocket.batch}. */
export function createLinkRequest(link: NewLink): NetlinkRequest {
  const writer = new NetlinkWriter();
  writeLinkHeader(writer, 0, link.up);
  writeLinkSettings(writer, link);
  if (link.master !== undefined) writer.u32(Attribute.master, link.master);
  if (link.group !== undefined) writer.u32(Attribute.group, link.group);
  writeLinkKind(writer, link.kind);
  return {
    type: RTM_NEWLINK,
    flags: MessageFlag.Create | MessageFlag.Exclusive,
    payload: writer.finish(),
    about: `create ${link.kind.kind} link ${link.name ?? ""}`.trimEnd(),
  };
}

/** Changes a link. Fails with `ENODEV` when there is none. */
export function setLink(socket: NetlinkSocket, link: LinkReference, change: LinkChange): void {
  socket.request(setLinkRequest(link, change));
}

/** {@link setLink} as a request for {@link NetlinkSocket.batch}. */
export function setLinkRequest(link: LinkReference, change: LinkChange): NetlinkRequest {
  const writer = new NetlinkWriter();
  const index = typeof link === "number" ? link : 0;
  writeLinkHeader(writer, index, change.up);
  // A request that names its link by name cannot rename it: the kernel takes the attribute for the search.
  if (typeof link === "string") writer.string(Attribute.name, checkLinkName(link));
  writeLinkSettings(writer, change);
  if (change.master !== undefined) writer.u32(Attribute.master, change.master);
  if (change.alias !== undefined) writer.bytes(Attribute.alias, Buffer.from(change.alias));
  if (change.group !== undefined) writer.u32(Attribute.group, change.group);
  if (change.bridgePort !== undefined) writeBridgePort(writer, change.bridgePort);
  if (change.generateIPv6LinkLocal === false) writeNoLinkLocal(writer);
  return { type: RTM_NEWLINK, payload: writer.finish(), about: `change link ${link}` };
}

function writeBridgePort(writer: NetlinkWriter, port: NonNullable<LinkChange["bridgePort"]>): void {
  writer.nested(Attribute.linkInfo, (info) => {
    info.string(INFO_SLAVE_KIND, "bridge");
    info.nested(INFO_SLAVE_DATA, (data) => {
      if (port.hairpin !== undefined) data.u8(BRIDGE_PORT_HAIRPIN, port.hairpin ? 1 : 0);
      if (port.isolated !== undefined) data.u8(BRIDGE_PORT_ISOLATED, port.isolated ? 1 : 0);
    });
  });
}

function writeNoLinkLocal(writer: NetlinkWriter): void {
  const inet6 = 10;
  const addressGenerationMode = 8;
  writer.nested(Attribute.afSpec, (families) => {
    families.nested(inet6, (family) => family.u8(addressGenerationMode, ADDRESS_GENERATION_NONE));
  });
}

/** Deletes a link; a veth takes its peer along. Fails with `ENODEV` when there is none. */
export function deleteLink(socket: NetlinkSocket, link: LinkReference): void {
  const writer = new NetlinkWriter();
  writeLinkHeader(writer, typeof link === "number" ? link : 0, undefined);
  if (typeof link === "string") writer.string(Attribute.name, checkLinkName(link));
  socket.request({ type: RTM_DELLINK, payload: writer.finish(), about: `delete link ${link}` });
}

/** Deletes every link of a group at once, which waits for the kernel's grace periods once and not for each link. */
export function deleteLinkGroup(socket: NetlinkSocket, group: number): void {
  const writer = new NetlinkWriter();
  writeLinkHeader(writer, 0, undefined);
  writer.u32(Attribute.group, group);
  socket.request({ type: RTM_DELLINK, payload: writer.finish(), about: `delete link group ${group}` });
}

/** The link, or undefined when there is none. */
export function findLink(socket: NetlinkSocket, link: LinkReference): Link | undefined {
  const writer = new NetlinkWriter();
  writeLinkHeader(writer, typeof link === "number" ? link : 0, undefined);
  if (typeof link === "string") {
    const type = Buffer.byteLength(link) <= 15 ? Attribute.name : Attribute.alternativeName;
    writer.string(type, link);
  }
  try {
    const [message] = socket.request({ type: RTM_GETLINK, payload: writer.finish(), about: `get link ${link}` });
    return message === undefined ? undefined : decodeLink(message);
  } catch (error) {
    if (systemCode(error) === "ENODEV") return undefined;
    throw error;
  }
}

/** Every link in the socket's namespace. */
export function listLinks(socket: NetlinkSocket): Link[] {
  const writer = new NetlinkWriter();
  writeLinkHeader(writer, 0, undefined);
  return socket.dump({ type: RTM_GETLINK, payload: writer.finish(), about: "list links" }).map(decodeLink);
}

/** A link from an RTM_NEWLINK message. */
export function decodeLink(message: NetlinkMessage): Link {
  const { payload } = message;
  const flags = payload.readUInt32LE(8);
  const attributes = new Attributes(payload.subarray(LINK_MESSAGE_SIZE));
  const info = attributes.nested(Attribute.linkInfo);
  const mac = attributes.get(Attribute.address);
  const port = info?.string(INFO_SLAVE_KIND) === "bridge" ? info.nested(INFO_SLAVE_DATA) : undefined;
  return {
    index: payload.readInt32LE(4),
    name: attributes.string(Attribute.name) ?? "",
    up: (flags & IFF_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    running: attributes.u8(Attribute.operState) === 6,
    mtu: attributes.u32(Attribute.mtu) ?? 0,
    mac: mac?.length === 6 ? macText(mac) : undefined,
    master: attributes.u32(Attribute.master),
    kind: info?.string(1),
    parent: attributes.u32(Attribute.link),
    parentNamespace: attributes.i32(Attribute.linkNamespace),
    alias: attributes.string(Attribute.alias),
    group: attributes.u32(Attribute.group) ?? 0,
    isolated: port?.u8(BRIDGE_PORT_ISOLATED) === 1,
  };
}
