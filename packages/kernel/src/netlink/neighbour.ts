import { Attributes, NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressBytes, addressFamily, addressText, macBytes, macText } from "./ip-address.ts";
import { MessageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const HEADER = 12;
const NDA_DESTINATION = 1;
const NDA_LINK_ADDRESS = 2;
const NTF_SELF = 2;
const NTF_PROXY = 8;

const StateNumber = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

export type NeighbourState = keyof typeof StateNumber;

/** An entry of the ARP or neighbour-discovery table, or with a bridge's MAC only, of a forwarding table. */
export interface Neighbour {
  /** Index of the link. */
  readonly link: number;
  readonly address: string;
  readonly mac: string | undefined;
  readonly state: NeighbourState | undefined;
}

export interface NewNeighbour {
  readonly link: number;
  readonly address: string;
  /** Left out for a proxy entry. */
  readonly mac?: string;
  /** @default "permanent" */
  readonly state?: NeighbourState;
  /** Answer for the address on this link in the owner's place. @default false */
  readonly proxy?: boolean;
}

/** An entry of the forwarding table of a bridge or a vxlan: frames to `mac` go to `remote` (vxlan) or stay (bridge). */
export interface ForwardingEntry {
  readonly link: number;
  readonly mac: string;
  readonly remote?: string;
}

/** Adds or replaces an entry. */
export function setNeighbour(socket: NetlinkSocket, entry: NewNeighbour): void {
  const writer = neighbourMessage(entry, entry.proxy === true ? NTF_PROXY : 0);
  if (entry.mac !== undefined) writer.bytes(NDA_LINK_ADDRESS, macBytes(entry.mac));
  socket.request({
    type: RTM_NEWNEIGH,
    flags: MessageFlag.Create | MessageFlag.Replace,
    payload: writer.finish(),
    about: `set neighbour ${entry.address}`,
  });
}

/** Removes an entry. Fails with `ENOENT` when there is none. */
export function removeNeighbour(socket: NetlinkSocket, entry: Pick<NewNeighbour, "link" | "address" | "proxy">): void {
  const payload = neighbourMessage(entry, entry.proxy === true ? NTF_PROXY : 0).finish();
  socket.request({ type: RTM_DELNEIGH, payload, about: `remove neighbour ${entry.address}` });
}

function neighbourMessage(entry: Pick<NewNeighbour, "link" | "address" | "state">, flags: number): NetlinkWriter {
  const writer = new NetlinkWriter();
  writeHeader(writer, addressFamily(entry.address), entry.link, StateNumber[entry.state ?? "permanent"], flags);
  return writer.bytes(NDA_DESTINATION, addressBytes(entry.address));
}

function writeHeader(writer: NetlinkWriter, family: number, link: number, state: number, flags: number): void {
  const header = writer.struct(HEADER);
  header.writeUInt8(family, 0);
  header.writeInt32LE(link, 4);
  header.writeUInt16LE(state, 8);
  header.writeUInt8(flags, 10);
}

/** Adds an entry to a forwarding table. */
export function addForwardingEntry(socket: NetlinkSocket, entry: ForwardingEntry): void {
  const writer = new NetlinkWriter();
  writeHeader(writer, AddressFamily.Bridge, entry.link, StateNumber.permanent | StateNumber.noarp, NTF_SELF);
  writer.bytes(NDA_LINK_ADDRESS, macBytes(entry.mac));
  if (entry.remote !== undefined) writer.bytes(NDA_DESTINATION, addressBytes(entry.remote));
  socket.request({
    type: RTM_NEWNEIGH,
    flags: MessageFlag.Create | MessageFlag.Append,
    payload: writer.finish(),
    about: `add forwarding entry ${entry.mac}`,
  });
}

/** The neighbours of both families in the socket's namespace. */
export function listNeighbours(socket: NetlinkSocket): Neighbour[] {
  return [AddressFamily.IPv4, AddressFamily.IPv6].flatMap((family) => {
    const writer = new NetlinkWriter();
    writer.struct(HEADER).writeUInt8(family, 0);
    const messages = socket.dump({ type: RTM_GETNEIGH, payload: writer.finish(), about: "list neighbours" });
    return messages.flatMap((message) => decodeNeighbour(message) ?? []);
  });
}

function decodeNeighbour({ payload }: NetlinkMessage): Neighbour | undefined {
  const attributes = new Attributes(payload.subarray(HEADER));
  const address = attributes.get(NDA_DESTINATION);
  if (address === undefined) return undefined;
  const mac = attributes.get(NDA_LINK_ADDRESS);
  const stateNumber = payload.readUInt16LE(8);
  return {
    link: payload.readInt32LE(4),
    address: addressText(address),
    mac: mac?.length === 6 ? macText(mac) : undefined,
    state: (Object.keys(StateNumber) as NeighbourState[]).find((name) => StateNumber[name] === stateNumber),
  };
}
