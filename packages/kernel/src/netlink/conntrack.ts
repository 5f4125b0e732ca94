import { systemCode } from "@boxship/base";
import { Attributes, NetlinkWriter } from "./attributes.ts";
import { AddressFamily, addressText } from "./ip-address.ts";
import type { NetlinkMessage } from "./message.ts";
import type { NetlinkRequest, NetlinkSocket } from "./socket.ts";

/**
 * The connection tracking table, over a socket of `NetlinkProtocol.Netfilter`.
 */

const SUBSYSTEM = 1 << 8;
const MESSAGE_GET = SUBSYSTEM | 1;
const MESSAGE_DELETE = SUBSYSTEM | 2;
const HEADER = 4;
const TUPLE_ORIGINAL = 1;
const TUPLE_REPLY = 2;
const TUPLE_ADDRESSES = 1;
const TUPLE_PROTOCOL = 2;
const CTA_ID = 12;
const ADDRESS = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const;
const PROTOCOL = { number: 1, sourcePort: 2, destinationPort: 3 } as const;

/** One direction of a flow. Ports are 0 for protocols without them. */
export interface FlowTuple {
  readonly source: string;
  readonly destination: string;
  /** As in /etc/protocols: 6 is TCP, 17 UDP, 132 SCTP. */
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** A tracked flow; where `reply` is not `original` turned around, addresses are translated. */
export interface Flow {
  readonly original: FlowTuple;
  readonly reply: FlowTuple;
}

/**
 * Forgets the flows that `matches` picks, so that their next packet goes through the NAT rules again. Returns how many.
 */
export function deleteFlows(socket: NetlinkSocket, matches: (flow: Flow) => boolean): number {
  let deleted = 0;
  for (const message of listMessages(socket)) {
    const flow = decodeFlow(message);
    if (flow === undefined || !matches(flow)) continue;
    try {
      socket.request(deletion(message));
      deleted++;
    } catch (error) {
      // It ended by itself meanwhile.
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return deleted;
}

/** The tracked flows of both families in the socket's namespace. */
export function listFlows(socket: NetlinkSocket): Flow[] {
  return listMessages(socket).flatMap((message) => decodeFlow(message) ?? []);
}

function listMessages(socket: NetlinkSocket): NetlinkMessage[] {
  const writer = new NetlinkWriter();
  writer.struct(HEADER).writeUInt8(AddressFamily.Unspecified, 0);
  return socket.dump({ type: MESSAGE_GET, payload: writer.finish(), about: "list flows" });
}

function deletion(message: NetlinkMessage): NetlinkRequest {
  const attributes = new Attributes(message.payload.subarray(HEADER));
  const writer = new NetlinkWriter();
  writer.struct(HEADER).writeUInt8(message.payload.readUInt8(0), 0);
  const original = attributes.get(TUPLE_ORIGINAL);
  const id = attributes.get(CTA_ID);
  const nested = 0x8000;
  if (original !== undefined) writer.bytes(TUPLE_ORIGINAL | nested, original);
  // With its id, a new flow with the same addresses and ports is left alone.
  if (id !== undefined) writer.bytes(CTA_ID, id);
  return { type: MESSAGE_DELETE, payload: writer.finish(), about: "delete flow" };
}

function decodeFlow(message: NetlinkMessage): Flow | undefined {
  const attributes = new Attributes(message.payload.subarray(HEADER));
  const original = decodeTuple(attributes.nested(TUPLE_ORIGINAL));
  const reply = decodeTuple(attributes.nested(TUPLE_REPLY));
  return original === undefined || reply === undefined ? undefined : { original, reply };
}

function decodeTuple(tuple: Attributes | undefined): FlowTuple | undefined {
  const addresses = tuple?.nested(TUPLE_ADDRESSES);
  const protocol = tuple?.nested(TUPLE_PROTOCOL);
  const source = addresses?.get(ADDRESS.source4) ?? addresses?.get(ADDRESS.source6);
  const destination = addresses?.get(ADDRESS.destination4) ?? addresses?.get(ADDRESS.destination6);
  if (source === undefined || destination === undefined || protocol === undefined) return undefined;
  return {
    source: addressText(source),
    destination: addressText(destination),
    protocol: protocol.u8(PROTOCOL.number) ?? 0,
    sourcePort: protocol.get(PROTOCOL.sourcePort)?.readUInt16BE() ?? 0,
    destinationPort: protocol.get(PROTOCOL.destinationPort)?.readUInt16BE() ?? 0,
  };
}
