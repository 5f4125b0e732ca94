import { Attributes, NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressBytes, addressFamily, addressText } from "./ip-address.ts";
import { MessageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkRequest, NetlinkSocket } from "./socket.ts";

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const HEADER = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const FLAG_NODAD = 2;

/** An IP address on a link. */
export interface LinkAddress {
  /** Index of the link. */
  readonly link: number;
  readonly address: string;
  readonly prefixLength: number;
}

export interface NewLinkAddress extends LinkAddress {
  /** IPv4 only. */
  readonly broadcast?: string;
  /** IPv6: usable at once, without asking the link whether someone has it. @default false */
  readonly noDuplicateDetection?: boolean;
}

/** Adds an address. Fails with `EEXIST` when the link has it. */
export function addAddress(socket: NetlinkSocket, address: NewLinkAddress): void {
  socket.request(addAddressRequest(address));
}

/** {@link addAddress} as a request for {@link NetlinkSocket.batch}. */
export function addAddressRequest(address: NewLinkAddress): NetlinkRequest {
  const writer = addressMessage(address);
  if (address.broadcast !== undefined) writer.bytes(IFA_BROADCAST, addressBytes(address.broadcast));
  if (address.noDuplicateDetection === true) writer.u32(IFA_FLAGS, FLAG_NODAD);
  return {
    type: RTM_NEWADDR,
    flags: MessageFlag.Create | MessageFlag.Exclusive,
    payload: writer.finish(),
    about: `add address ${address.address}/${address.prefixLength}`,
  };
}

/** Removes an address. Fails with `EADDRNOTAVAIL` when the link does not have it. */
export function removeAddress(socket: NetlinkSocket, address: LinkAddress): void {
  const about = `remove address ${address.address}/${address.prefixLength}`;
  socket.request({ type: RTM_DELADDR, payload: addressMessage(address).finish(), about });
}

function addressMessage({ link, address, prefixLength }: LinkAddress): NetlinkWriter {
  const writer = new NetlinkWriter();
  const header = writer.struct(HEADER);
  header.writeUInt8(addressFamily(address), 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(link, 4);
  const bytes = addressBytes(address);
  return writer.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes);
}

/** Every address in the socket's namespace, of both families. */
export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  const writer = new NetlinkWriter();
  writer.struct(HEADER);
  const messages = socket.dump({ type: RTM_GETADDR, payload: writer.finish(), about: "list addresses" });
  return messages.flatMap((message) => decodeAddress(message) ?? []);
}

function decodeAddress({ payload }: NetlinkMessage): LinkAddress | undefined {
  const family = payload.readUInt8(0);
  if (family !== AddressFamily.IPv4 && family !== AddressFamily.IPv6) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER));
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined) return undefined;
  return { link: payload.readUInt32LE(4), address: addressText(bytes), prefixLength: payload.readUInt8(1) };
}
