import { Socket } from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";
import { InvalidArgument } from "@boxship/base";
import { FileType } from "./directory-entry.ts";
import { SyscallError } from "./errno.ts";
import { type Watch, watchDescriptor } from "./event-loop.ts";
import { type Fd, setNonBlocking } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { read, write } from "./file-data.ts";
import { fstat } from "./inode.ts";

/** Node streams over descriptors of pipes, sockets and terminals. The stream takes the descriptor over. */

const CHUNK = 65536;

/**
 * A stream over a terminal (or any pollable descriptor) on our own event loop: reads and writes as the descriptor is ready,
 * takes EIO as the end (a pty master reports it once the last slave is closed), and keeps back-pressure both ways.
 */
export class DescriptorStream extends Duplex {
  readonly #fd: Fd;
  readonly #watch: Watch;
  #wantsData = false;
  #pending: { readonly bytes: Buffer; readonly done: (error?: Error | null) => void } | undefined;

  constructor(fd: Fd) {
    super({ allowHalfOpen: true });
    setNonBlocking(fd, true);
    this.#fd = fd;
    this.#watch = watchDescriptor(fd, {}, (ready) => {
      if (ready.writable || ready.error || ready.hangup) this.#flush();
      if (ready.readable || ready.error || ready.hangup) this.#fill();
    });
  }

  /** The descriptor, for ioctls; it belongs to the stream. */
  get descriptor(): number {
    return this.#fd.number;
  }

  override _read(): void {
    if (this.#wantsData) return;
    this.#wantsData = true;
    // Not directly: a read that finds data pushes it, and push calls back into here.
    setImmediate(() => this.#fill());
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#pending = { bytes, done };
    this.#flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#watch[Symbol.dispose]();
      this.#fd.close();
      done(error);
    } catch (failure) {
      done(error ?? (failure instanceof Error ? failure : new Error(String(failure))));
    }
  }

  #fill(): void {
    if (!this.#wantsData || this.destroyed) return;
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      const length = read(this.#fd, buffer);
      if (length !== undefined) {
        this.#wantsData = false;
        this.push(length === 0 ? null : buffer.subarray(0, length));
      }
    } catch (error) {
      this.#wantsData = false;
      if (error instanceof SyscallError && error.code === "EIO") this.push(null);
      else this.destroy(error instanceof Error ? error : undefined);
    }
    this.#changeInterest();
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending === undefined || this.destroyed) return;
    try {
      const taken = write(this.#fd, pending.bytes) ?? 0;
      this.#pending =
        taken === pending.bytes.length ? undefined : { bytes: pending.bytes.subarray(taken), done: pending.done };
      if (this.#pending === undefined) pending.done();
    } catch (error) {
      this.#pending = undefined;
      pending.done(error instanceof Error ? error : new Error(String(error)));
    }
    this.#changeInterest();
  }

  #changeInterest(): void {
    if (this.destroyed) return;
    const interest = { readable: this.#wantsData, writable: this.#pending !== undefined };
    this.#watch.change(interest);
  }
}

const isattyCall = libc.bind<number>("isatty", ["i32", "i32"]);

/** Whether the descriptor is a terminal. */
export function isTerminal(fd: Fd | number): boolean {
  return isattyCall(typeof fd === "number" ? fd : fd.number) === 1;
}

function open(fd: Fd, direction: { readonly readable: boolean; readonly writable: boolean }): Duplex {
  if (isTerminal(fd)) return new DescriptorStream(fd);
  const type = fstat(fd).mode & FileType.Mask;
  if (type !== FileType.Fifo && type !== FileType.Socket) {
    throw new InvalidArgument(`descriptor ${fd.number} is neither a pipe nor a socket nor a terminal`);
  }
  const socket = new Socket({ fd: fd.number, allowHalfOpen: true, ...direction });
  // The socket owns it only from here on: its constructor throws for types it cannot handle.
  fd.release();
  return socket;
}

/** Reads a pipe, socket or terminal to its end. Destroying the stream closes the descriptor. */
export function readableFrom(fd: Fd): Readable {
  return open(fd, { readable: true, writable: false });
}

/** Writes to a pipe, socket or terminal; ending the stream closes the descriptor. */
export function writableTo(fd: Fd): Writable {
  return open(fd, { readable: false, writable: true });
}

/** Both directions of a socket or terminal. Ending it shuts down a socket's sending half only. */
export function duplexOver(fd: Fd): Duplex {
  return open(fd, { readable: true, writable: true });
}

const shutdownCall = libc.bind<number>("shutdown", ["i32", "i32", "i32"]);
const SHUT_WR = 1;

/** Ends the sending half of a socket. */
export function shutdownWrite(fd: Fd): void {
  check(shutdownCall(fd.number, SHUT_WR), "shutdown", String(fd.number));
}
