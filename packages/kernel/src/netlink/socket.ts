import { Buffer } from "node:buffer";
import { Internal } from "@boxship/base";
import { Fd } from "../fd.ts";
import { check, libc } from "../ffi.ts";
import {
  acknowledgementError,
  ControlType,
  decodeMessages,
  encodeMessage,
  MessageFlag,
  type NetlinkMessage,
} from "./message.ts";

/** Families of `socket(AF_NETLINK, …)`. */
export const NetlinkProtocol = { Route: 0, SocketDiagnosis: 4, Netfilter: 12 } as const;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHECK = 12;
const MSG_TRUNC = 0x20;
const SMALL_DATAGRAM = 64 * 1024;
const RECEIVE_SIZE = 64 * 1024;
const RECEIVE_TIMEOUT_SECONDS = 10n;
const DUMP_ATTEMPTS = 5;

const socketCall = libc.bind<number>("socket", ["i32", "i32", "i32", "i32"]);
const setsockoptCall = libc.bind<number>("setsockopt", ["i32", "i32", "i32", "i32", "pointer", "u32"]);
const sendCall = libc.bind<bigint>("send", ["i64", "i32", "pointer", "u64", "i32"]);
const recvCall = libc.bind<bigint>("recv", ["i64", "i32", "pointer", "u64", "i32"]);

/** One for all sockets of a thread: what arrives is copied out before anything else happens. */
const receiveBuffer = Buffer.alloc(RECEIVE_SIZE);

export interface NetlinkRequest {
  readonly type: number;
  /** {@link MessageFlag} values besides Request and Ack, which are added. @default 0 */
  readonly flags?: number;
  readonly payload: Buffer;
  /** What the request does, for error messages, e.g. `create link eth0`. */
  readonly about: string;
}

/**
 * A netlink socket, used in the calling thread, request by request: the kernel works on a request inside `send`, so
 * that its answer is there when `send` returns and nothing waits. The socket stays in the network namespace in which it
 * was opened, wherever its thread goes afterwards.
 *
 * Whoever opens it disposes it.
 */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd;
  #sequence = 0;
  /** The largest datagram that is sure to fit. */
  #sendBuffer = SMALL_DATAGRAM;

  /** @param protocol one of {@link NetlinkProtocol} */
  constructor(protocol: number = NetlinkProtocol.Route) {
    using fd = new Fd(check(socketCall(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol), "socket", "netlink"));
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(RECEIVE_TIMEOUT_SECONDS);
    setOption(fd, SOL_SOCKET, SO_RCVTIMEO, timeout);
    const on = Buffer.from(Int32Array.of(1).buffer);
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, on);
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, on);
    if (protocol === NetlinkProtocol.Route) setOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHECK, on);
    this.#fd = new Fd(fd.release());
  }

  /** The descriptor, owned by this object. */
  get fd(): number {
    return this.#fd.number;
  }

  /**
   * Sends one request, waits for its acknowledgement and returns what the kernel answered before it (the object for a
   * query or with {@link MessageFlag.Echo}, else nothing). Throws {@link NetlinkError}.
   */
  request(request: NetlinkRequest): NetlinkMessage[] {
    return this.#exchange([request]);
  }

  /**
   * Sends all requests as one datagram; the kernel works on them in order and does not stop at a failure. Throws the
   * first {@link NetlinkError} when all are done.
   */
  batch(requests: readonly NetlinkRequest[]): NetlinkMessage[] {
    return requests.length === 0 ? [] : this.#exchange(requests);
  }

  /**
   * Sends a transaction of nfnetlink, all of which is done or nothing: `begin`, the requests, `end`, as one datagram.
   * Throws the {@link NetlinkError} of the first request that was refused, or of the whole.
   */
  transaction(begin: NetlinkRequest, requests: readonly NetlinkRequest[], end: NetlinkRequest): void {
    // The kernel answers to the last request when it is through with all, and to others only when it refuses them.
    const last = requests.length - 1;
    const batch = requests.map((request, index) => {
      return index === last ? { ...request, flags: (request.flags ?? 0) | MessageFlag.Ack } : request;
    });
    const all = [begin, ...batch, end];
    const first = this.#send(all, 0);
    const waiting = first + requests.length;
    let failure: Error | undefined;
    for (let answered = false; !answered; ) {
      for (const message of decodeMessages(this.#receive(begin.about))) {
        const request = all[message.sequence - first];
        if (request === undefined || message.type !== ControlType.Error) continue;
        failure ??= acknowledgementError(message, request.about);
        // Refused as a whole, there may be no other answer.
        answered ||= message.sequence === waiting || (message.sequence === first && failure !== undefined);
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** Every object of a kind. Repeated when the set changed while the kernel was listing it. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      const { messages, interrupted } = this.#dumpOnce(request);
      if (!interrupted || attempt === DUMP_ATTEMPTS) return messages;
    }
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  #send(requests: readonly NetlinkRequest[], extraFlags: number): number {
    const first = this.#sequence + 1;
    const datagram = requests.map(({ type, flags = 0, payload }) => {
      this.#sequence = (this.#sequence + 1) >>> 0;
      return encodeMessage({
        type,
        flags: flags | MessageFlag.Request | extraFlags,
        sequence: this.#sequence,
        payload,
      });
    });
    const bytes = datagram.length === 1 ? (datagram[0] as Buffer) : Buffer.concat(datagram);
    if (bytes.length > this.#sendBuffer) this.#growSendBuffer(bytes.length);
    check(Number(sendCall(this.#fd.number, bytes, BigInt(bytes.length), 0)), "send", requests[0]?.about);
    return first;
  }

  /** A datagram larger than the buffer would be refused, whatever the socket has in it. */
  #growSendBuffer(size: number): void {
    setOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, Buffer.from(Int32Array.of(size * 2).buffer));
    this.#sendBuffer = size;
  }

  #receive(about: string): Buffer {
    const size = recvCall(this.#fd.number, receiveBuffer, BigInt(RECEIVE_SIZE), MSG_TRUNC);
    const length = check(Number(size), "recv", about);
    if (length > RECEIVE_SIZE) throw new Internal(`netlink datagram of ${length} bytes is larger than ${RECEIVE_SIZE}`);
    return Buffer.from(receiveBuffer.subarray(0, length));
  }

  #exchange(requests: readonly NetlinkRequest[]): NetlinkMessage[] {
    const first = this.#send(requests, MessageFlag.Ack);
    const replies: NetlinkMessage[] = [];
    let failure: Error | undefined;
    let waiting = requests.length;
    while (waiting > 0) {
      const about = requests[requests.length - waiting]?.about ?? "";
      for (const message of decodeMessages(this.#receive(about))) {
        const request = requests[message.sequence - first];
        if (request === undefined) continue;
        if (message.type !== ControlType.Error) {
          replies.push(message);
          continue;
        }
        waiting--;
        failure ??= acknowledgementError(message, request.about);
      }
    }
    if (failure !== undefined) throw failure;
    return replies;
  }

  #dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
    const sequence = this.#send([request], MessageFlag.Dump);
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.#receive(request.about))) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & MessageFlag.DumpInterrupted) !== 0) interrupted = true;
        if (message.type === ControlType.Error) {
          const error = acknowledgementError(message, request.about);
          if (error !== undefined) throw error;
          return { messages, interrupted };
        }
        if (message.type === ControlType.Done) {
          const error = message.payload.length >= 4 ? acknowledgementError(message, request.about) : undefined;
          if (error !== undefined) throw error;
          return { messages, interrupted };
        }
        messages.push(message);
      }
    }
  }
}

function setOption(fd: Fd, level: number, option: number, value: Buffer): void {
  check(setsockoptCall(fd.number, level, option, value, value.length), "setsockopt", "netlink");
}
