import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { SyscallError } from "./errno.ts";
import { duplicateOver, type Fd, setNonBlocking } from "./fd.ts";
import { SocketType, socketPair } from "./pipe.ts";
import { connectUnixSocket, receiveMessage } from "./unix-socket.ts";

/** The largest message that is received. */
export const LARGEST_PACKET = 65536;

const EMSGSIZE = 90;

export interface PacketStreamOptions {
  /** Messages that are buffered before reading pauses, and before `write` says wait. @default 64 */
  readonly highWaterMark?: number;
}

// One for all: a message is copied out in the call that brings it. A longer one than may be fills it.
let receiveBuffer: Buffer | undefined;

/**
 * A SOCK_SEQPACKET socket as a stream of messages: every chunk read is one message that was sent (a `Buffer`), every
 * chunk written is sent as one message, empty ones excepted, which would look like the end. Ending it shuts down the
 * sending half; destroying it closes the descriptor. A message over 64 KiB is an error (EMSGSIZE).
 *
 * Node's own socket reads and writes: a read takes one message whatever the type of the socket, and one write at a time
 * sends one. A message arrives in the turn of the loop that sees it, which our own epoll instance takes two calls more for.
 */
export class PacketStream extends Duplex {
  readonly #socket: Socket;
  readonly #descriptor: number;

  constructor(socket: Fd, options: PacketStreamOptions = {}) {
    super({ objectMode: true, allowHalfOpen: true, highWaterMark: options.highWaterMark ?? 64 });
    const { socket: inner, descriptor } = nodeSocket(socket, (message) => this.#received(message));
    this.#socket = inner;
    this.#descriptor = descriptor;
    this.#socket.on("end", () => this.#ended());
    this.#socket.on("error", (error) => this.destroy(error));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(message: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (message.length === 0) done();
    else this.#socket.write(message, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // A peer that is gone has nobody left to be told.
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Its descriptor is closed in this call, or was when both halves had ended; an event that has been is not waited for.
    this.#socket.destroy();
    done(error);
  }

  /** @returns whether more is wanted */
  #received(message: Uint8Array): boolean {
    if (message.length <= LARGEST_PACKET) return this.push(Buffer.from(message));
    this.destroy(new SyscallError(EMSGSIZE, "recv", `${message.length} bytes`));
    return false;
  }

  /** A peer that is gone ends Node's socket with the first message that does not fill the buffer; others may have come. */
  #ended(): void {
    const buffer = sharedBuffer();
    try {
      while (!this.destroyed) {
        const length = receiveMessage(this.#descriptor, buffer);
        if (length === undefined || length === 0) break;
        this.#received(buffer.subarray(0, length));
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
    this.push(null);
  }
}

function sharedBuffer(): Buffer {
  receiveBuffer ??= Buffer.alloc(LARGEST_PACKET + 1);
  return receiveBuffer;
}

/**
 * Node's socket over a descriptor whose type it would refuse: it is made for a stream socket, whose place in the table of
 * descriptors the real one takes before anybody has asked the kernel about it.
 */
function nodeSocket(
  real: Fd,
  received: (message: Uint8Array) => boolean,
): { readonly socket: Socket; readonly descriptor: number } {
  const [placeholder, other] = socketPair();
  other.close();
  const buffer = sharedBuffer();
  const callback = (length: number) => received(buffer.subarray(0, length));
  const socket = new Socket({ fd: placeholder.number, allowHalfOpen: true, onread: { buffer, callback } });
  // It reads from the beginning.
  socket.pause();
  setNonBlocking(real, true);
  const descriptor = placeholder.release();
  duplicateOver(real, descriptor);
  real.close();
  return { socket, descriptor };
}

/** Connects to a listening SOCK_SEQPACKET socket, such as conmon's attach socket. */
export async function connectPacketStream(path: string, options: PacketStreamOptions = {}): Promise<PacketStream> {
  return new PacketStream(await connectUnixSocket(path, SocketType.SequencedPacket), options);
}
