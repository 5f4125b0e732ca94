import { NetlinkWriter } from "./attributes.ts";
import { MessageFlag } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWQDISC = 36;
/** `struct tcmsg` */
const HEADER = 20;
const ROOT = 0xffff_ffff;
const Attribute = { kind: 1, options: 2 } as const;
const TokenBucket = { parameters: 1, rate64: 4, burst: 6 } as const;
/** `struct tc_tbf_qopt`: rate and peak rate, 12 bytes each, then limit, buffer and mtu. */
const PARAMETERS = 36;
const LINK_LAYER_ETHERNET = 1;

/** How much a link sends at most: a token bucket. */
export interface RateLimit {
  /** Bytes a second. */
  readonly rate: bigint;
  /** Bytes that may be sent at once. */
  readonly burst: number;
  /** Bytes that wait at most; what is more is dropped. */
  readonly queue: number;
}

/**
 * Limits what a link sends, in place of what its packets waited in before (`linux/pkt_sched.h`, tbf). It goes with the link.
 *
 * @param link its index
 */
export function limitLink(socket: NetlinkSocket, link: number, { rate, burst, queue }: RateLimit): void {
  const writer = new NetlinkWriter();
  const header = writer.struct(HEADER);
  header.writeInt32LE(link, 4);
  header.writeUInt32LE(ROOT, 12);
  writer.string(Attribute.kind, "tbf");
  writer.nested(Attribute.options, (options) => {
    const parameters = Buffer.alloc(PARAMETERS);
    parameters.writeUInt8(LINK_LAYER_ETHERNET, 1);
    // Of a rate that needs more than 32 bits, all of them: the whole is beside it.
    parameters.writeUInt32LE(Number(rate > 0xffff_ffffn ? 0xffff_ffffn : rate), 8);
    parameters.writeUInt32LE(queue, 24);
    options.bytes(TokenBucket.parameters, parameters);
    options.u32(TokenBucket.burst, burst);
    if (rate > 0xffff_ffffn) {
      const whole = Buffer.alloc(8);
      whole.writeBigUInt64LE(rate);
      options.bytes(TokenBucket.rate64, whole);
    }
  });
  const flags = MessageFlag.Create | MessageFlag.Replace;
  socket.request({ type: RTM_NEWQDISC, flags, payload: writer.finish(), about: `limit link ${link}` });
}
