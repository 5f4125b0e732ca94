import { Attributes, NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressBytes, addressFamily, addressText } from "./ip-address.ts";
import { MessageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const HEADER = 12;
const ACTION_TO_TABLE = 1;
const Attribute = { destination: 1, source: 2, incoming: 3, priority: 6, mark: 10, table: 15, mask: 16 } as const;

/** A routing policy rule that looks into a table. */
export interface RoutingRule {
  readonly family: "ipv4" | "ipv6";
  /** Lower is tried first. */
  readonly priority: number;
  readonly table: number;
  /** `address/length` */
  readonly source?: string;
  /** `address/length` */
  readonly destination?: string;
  readonly incomingLink?: string;
  readonly mark?: number;
  /** Which bits of the mark count. @default all */
  readonly markMask?: number;
}

/** Adds a rule. Fails with `EEXIST` when there is the same. */
export function addRule(socket: NetlinkSocket, rule: RoutingRule): void {
  socket.request({
    type: RTM_NEWRULE,
    flags: MessageFlag.Create | MessageFlag.Exclusive,
    payload: encodeRule(rule),
    about: `add rule ${rule.priority}`,
  });
}

/** Removes a rule. Fails with `ENOENT` when there is none. */
export function removeRule(socket: NetlinkSocket, rule: RoutingRule): void {
  socket.request({ type: RTM_DELRULE, payload: encodeRule(rule), about: `remove rule ${rule.priority}` });
}

function encodeRule(rule: RoutingRule): Buffer {
  const writer = new NetlinkWriter();
  const [source, sourceLength] = split(rule.source);
  const [destination, destinationLength] = split(rule.destination);
  const header = writer.struct(HEADER);
  header.writeUInt8(rule.family === "ipv4" ? AddressFamily.IPv4 : AddressFamily.IPv6, 0);
  header.writeUInt8(destinationLength, 1);
  header.writeUInt8(sourceLength, 2);
  header.writeUInt8(rule.table > 255 ? 0 : rule.table, 4);
  header.writeUInt8(ACTION_TO_TABLE, 7);
  writer.u32(Attribute.priority, rule.priority).u32(Attribute.table, rule.table);
  if (source !== undefined) writer.bytes(Attribute.source, addressBytes(source));
  if (destination !== undefined) writer.bytes(Attribute.destination, addressBytes(destination));
  if (rule.incomingLink !== undefined) writer.string(Attribute.incoming, rule.incomingLink);
  if (rule.mark !== undefined) writer.u32(Attribute.mark, rule.mark).u32(Attribute.mask, rule.markMask ?? 0xffffffff);
  return writer.finish();
}

function split(prefix: string | undefined): readonly [address: string | undefined, length: number] {
  if (prefix === undefined) return [undefined, 0];
  const [address = "", length] = prefix.split("/");
  if (length !== undefined) return [address, Number(length)];
  return [address, addressFamily(address) === AddressFamily.IPv4 ? 32 : 128];
}

/** The rules of both families in the socket's namespace that look into a table. */
export function listRules(socket: NetlinkSocket): RoutingRule[] {
  return [AddressFamily.IPv4, AddressFamily.IPv6].flatMap((family) => {
    const writer = new NetlinkWriter();
    writer.struct(HEADER).writeUInt8(family, 0);
    const messages = socket.dump({ type: RTM_GETRULE, payload: writer.finish(), about: "list rules" });
    return messages.flatMap((message) => decodeRule(message) ?? []);
  });
}

function decodeRule({ payload }: NetlinkMessage): RoutingRule | undefined {
  if (payload.readUInt8(7) !== ACTION_TO_TABLE) return undefined;
  const attributes = new Attributes(payload.subarray(HEADER));
  const prefix = (type: number, length: number): string | undefined => {
    const bytes = attributes.get(type);
    return bytes === undefined ? undefined : `${addressText(bytes)}/${length}`;
  };
  const source = prefix(Attribute.source, payload.readUInt8(2));
  const destination = prefix(Attribute.destination, payload.readUInt8(1));
  const incomingLink = attributes.string(Attribute.incoming);
  const mark = attributes.u32(Attribute.mark);
  const markMask = attributes.u32(Attribute.mask);
  return {
    family: payload.readUInt8(0) === AddressFamily.IPv4 ? "ipv4" : "ipv6",
    priority: attributes.u32(Attribute.priority) ?? 0,
    table: attributes.u32(Attribute.table) ?? payload.readUInt8(4),
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    ...(incomingLink === undefined ? {} : { incomingLink }),
    ...(mark === undefined ? {} : { mark, ...(markMask === undefined ? {} : { markMask }) }),
  };
}
