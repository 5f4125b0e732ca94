import { Duplex } from "node:stream";
import { type Watch, watchDescriptor } from "./event-loop.ts";
import { type Fd, setNonBlocking } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { SocketType } from "./pipe.ts";
import { connectUnixSocket, receiveMessage, sendMessage } from "./unix-socket.ts";

/** The largest message that is received. */
export const LARGEST_PACKET = 65536;

// Fairness: one busy socket must not keep the others from their turn.
const PACKETS_PER_TURN = 64;

const SHUT_WR = 1;
const shutdownCall = libc.bind<number>("shutdown", ["i32", "i32", "i32"]);

export interface PacketStreamOptions {
  /** Messages that are buffered before reading pauses, and before `write` says wait. @default 64 */
  readonly highWaterMark?: number;
}

// One per thread: a message is copied out before the next is received.
let receiveBuffer: Buffer | undefined;

/**
 * A SOCK_SEQPACKET socket as a stream of messages: every chunk read is one message that was sent (a `Buffer`), every
 * chunk written is sent as one message, empty ones excepted, which would look like the end. Ending it shuts down the
 * sending half; destroying it closes the descriptor. A message over 64 KiB is an error (EMSGSIZE).
 */
export class PacketStream extends Duplex {
  readonly #socket: Fd;
  readonly #watch: Watch;
  #wantsData = false;
  #pending: { readonly message: Uint8Array; readonly done: (error?: Error | null) => void } | undefined;

  constructor(socket: Fd, options: PacketStreamOptions = {}) {
    super({ objectMode: true, allowHalfOpen: true, highWaterMark: options.highWaterMark ?? 64 });
    setNonBlocking(socket, true);
    this.#socket = socket;
    this.#watch = watchDescriptor(socket, {}, (ready) => {
      const broken = ready.error || ready.hangup;
      if (ready.writable || broken) this.#flush();
      if (ready.readable || broken) this.#fill();
    });
  }

  override _read(): void {
    if (this.#wantsData) return;
    this.#wantsData = true;
    this.#changeInterest();
  }

  override _write(message: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (message.length === 0) {
      done();
      return;
    }
    this.#pending = { message, done };
    this.#flush();
  }

  override _final(done: (error?: Error | null) => void): void {
    try {
      check(shutdownCall(this.#socket.number, SHUT_WR), "shutdown");
      done();
    } catch (error) {
      // The peer is gone: nobody is left to be told.
      if (error instanceof Error && "code" in error && error.code === "ENOTCONN") done();
      else done(asError(error));
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#watch[Symbol.dispose]();
      this.#socket.close();
      done(error);
    } catch (failure) {
      done(error ?? asError(failure));
    }
  }

  /** The first message is on its way to whoever waits for it before it is seen whether there are more. */
  #fill(): void {
    this.#receive(1);
    if (this.#wantsData && !this.destroyed) process.nextTick(() => this.#receive(PACKETS_PER_TURN - 1));
  }

  #receive(most: number): void {
    receiveBuffer ??= Buffer.alloc(LARGEST_PACKET);
    try {
      for (let count = 0; count < most && this.#wantsData && !this.destroyed; count++) {
        const length = receiveMessage(this.#socket, receiveBuffer);
        if (length === undefined) break;
        this.#wantsData = length !== 0 && this.push(Buffer.from(receiveBuffer.subarray(0, length)));
        if (length === 0) this.push(null);
      }
    } catch (error) {
      this.#wantsData = false;
      this.destroy(asError(error));
    }
    this.#changeInterest();
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending === undefined || this.destroyed) return;
    try {
      if (sendMessage(this.#socket, pending.message)) {
        this.#pending = undefined;
        pending.done();
      }
    } catch (error) {
      this.#pending = undefined;
      pending.done(asError(error));
    }
    this.#changeInterest();
  }

  #changeInterest(): void {
    if (this.destroyed) return;
    this.#watch.change({ readable: this.#wantsData, writable: this.#pending !== undefined });
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Connects to a listening SOCK_SEQPACKET socket, such as conmon's attach socket. */
export async function connectPacketStream(path: string, options: PacketStreamOptions = {}): Promise<PacketStream> {
  return new PacketStream(await connectUnixSocket(path, SocketType.SequencedPacket), options);
}
