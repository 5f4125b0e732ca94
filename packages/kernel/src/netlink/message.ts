import { Buffer } from "node:buffer";
import { Internal } from "@boxship/base";
import { SyscallError } from "../errno.ts";
import { Attributes, align4 } from "./attributes.ts";

/** Flags of `struct nlmsghdr`. The second row is for creation, the third for queries. */
export const MessageFlag = {
  Request: 1,
  Multi: 2,
  Ack: 4,
  Echo: 8,
  DumpInterrupted: 0x10,
  Replace: 0x100,
  Exclusive: 0x200,
  Create: 0x400,
  Append: 0x800,
  Dump: 0x300,
} as const;

/** Types of control messages; everything from 16 on belongs to the protocol. */
export const ControlType = { Error: 2, Done: 3 } as const;

const HEADER = 16;
const CAPPED = 0x100;
const ACK_ATTRIBUTES = 0x200;
const EXTENDED_ACK_MESSAGE = 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/**
 * The kernel refused a netlink request. `explanation` is its own sentence (the extended ack) where it gave one, such as
 * "Invalid prefix for given prefix length".
 */
export class NetlinkError extends SyscallError {
  readonly explanation: string | undefined;

  constructor(errno: number, request: string, explanation: string | undefined) {
    super(errno, "netlink", request);
    this.name = "NetlinkError";
    this.explanation = explanation;
    if (explanation !== undefined) this.message += ` (${explanation})`;
  }
}

/** One message with its header, padded to a boundary. */
export function encodeMessage(message: NetlinkMessage): Buffer {
  const length = HEADER + message.payload.length;
  const bytes = Buffer.alloc(align4(length));
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(message.sequence >>> 0, 8);
  bytes.set(message.payload, HEADER);
  return bytes;
}

/** The messages of one datagram. Throws {@link Internal} on a broken length. */
export function* decodeMessages(datagram: Buffer): Generator<NetlinkMessage> {
  let offset = 0;
  while (offset + HEADER <= datagram.length) {
    const length = datagram.readUInt32LE(offset);
    if (length < HEADER || offset + length > datagram.length) {
      throw new Internal(
        `netlink message at ${offset} has length ${length}, beyond its datagram of ${datagram.length}`,
      );
    }
    yield {
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      payload: datagram.subarray(offset + HEADER, offset + length),
    };
    offset += align4(length);
  }
}

/** The error that an acknowledgement carries, or undefined when it reports success. */
export function acknowledgementError(message: NetlinkMessage, request: string): NetlinkError | undefined {
  if (message.payload.length < 4) throw new Internal("netlink acknowledgement is shorter than its error number");
  const errno = -message.payload.readInt32LE(0);
  if (errno === 0) return undefined;
  return new NetlinkError(errno, request, extendedAck(message));
}

function extendedAck({ flags, payload }: NetlinkMessage): string | undefined {
  if ((flags & ACK_ATTRIBUTES) === 0 || payload.length < 4 + HEADER) return undefined;
  // The request that failed is quoted, whole unless capped, between the number and the attributes.
  const quoted = (flags & CAPPED) === 0 ? align4(payload.readUInt32LE(4)) : HEADER;
  return new Attributes(payload.subarray(4 + quoted)).string(EXTENDED_ACK_MESSAGE);
}
