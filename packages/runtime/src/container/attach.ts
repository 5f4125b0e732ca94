import { Readable, Writable } from "node:stream";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { connectPacketStream, type PacketStream } from "@boxship/kernel";
import type { AttachOptions, AttachStreams, StreamFrame } from "../contract.ts";
import type { Context } from "./context.ts";
import type { Layout } from "./layout.ts";
import type { ContainerRecord } from "./record.ts";

/** conmon marks each packet with the stream's number. */
const STDOUT = 2;
const STDERR = 3;

/** conmon reads at most 32 KiB - 1 of a packet and drops the rest. */
const LARGEST_INPUT = 32 * 1024 - 1;

/**
 * Connects to conmon's attach socket. Output from now on comes as frames; a reader that does not read holds up the
 * container's output, as a pipe would.
 */
export async function attachContainer(
  { layout, inputs }: Context,
  id: string,
  record: ContainerRecord,
  options: AttachOptions,
): Promise<AttachStreams> {
  const socket = await connect(layout, id);
  const wanted = options.stdin && record.stdin;
  const pipe = wanted && !record.terminal ? inputs.open(layout, id) : undefined;
  // Without this an attacher that only watches would end the container's input by going away.
  const quiet = record.stdin && record.stdinOnce && !record.terminal && !options.stdin;
  const output = new FrameFilter(socket, options);
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    // Ended, not destroyed: whoever reads it sees an end, not a failure.
    output.finish();
    if (quiet) drain(socket);
    else socket.destroy();
    pipe?.destroy();
    // conmon takes a client that leaves for the end of its input.
    if (wanted && record.stdinOnce) inputs.close(id);
  };
  socket.on("error", () => close());
  // conmon ends its side only when the container is over: nobody is left to take input.
  socket.on("end", () => socket.destroy());
  socket.on("close", () => {
    output.finish();
    pipe?.destroy();
  });
  output.on("close", close);
  if (!wanted) return { output, close };
  const end = () => inputs.close(id);
  const stdin = pipe === undefined ? inputOf(socket, record) : pipedInput(pipe, socket, record, end);
  return { stdin, output, close };
}

async function connect(layout: Layout, id: string): Promise<PacketStream> {
  try {
    return await connectPacketStream(layout.bundleFile(id, "attach"));
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ECONNREFUSED" && code !== "ENOTDIR") throw error;
    throw new FailedPrecondition(`container ${id} is not running`, {
      subject: { kind: "container", name: id },
      cause: error,
    });
  }
}

/** Reads on for nobody, so that conmon is not held up. */
function drain(socket: PacketStream): void {
  socket.on("data", () => {});
  socket.resume();
}

/** conmon's packets as frames, handed on in the call that brings them; a reader that is behind pauses the socket. */
class FrameFilter extends Readable {
  readonly #socket: PacketStream;
  #finished = false;

  constructor(socket: PacketStream, options: AttachOptions) {
    super({ objectMode: true, highWaterMark: 16 });
    this.#socket = socket;
    socket.on("data", (packet: Buffer) => {
      const stream = packet[0] === STDERR ? "stderr" : packet[0] === STDOUT ? "stdout" : undefined;
      if (stream === undefined || !options[stream] || this.#finished) return;
      if (!this.push({ stream, data: packet.subarray(1) } satisfies StreamFrame)) socket.pause();
    });
  }

  /** What has come can still be read, then it ends. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.push(null);
  }

  override _read(): void {
    if (!this.#finished) this.#socket.resume();
  }
}

/** @param end closes it for the other clients as well */
function pipedInput(pipe: Writable, socket: PacketStream, record: ContainerRecord, end: () => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (pipe.destroyed) done();
      // Where nobody reads any more the rest has nowhere to go, as in conmon.
      else pipe.write(chunk, () => done());
    },
    final(done) {
      if (!record.stdinOnce) {
        pipe.destroy();
        done();
        return;
      }
      end();
      if (socket.destroyed) done();
      else socket.end(done);
    },
  });
}

/** Cuts input into packets that conmon takes whole. Ending it ends conmon's side only where the container has an end. */
function inputOf(socket: PacketStream, record: ContainerRecord): Writable {
  const endless = record.terminal || !record.stdinOnce;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const send = (offset: number): void => {
        if (offset >= chunk.length) done();
        else if (socket.writableEnded || socket.destroyed) done();
        else socket.write(chunk.subarray(offset, offset + LARGEST_INPUT), () => send(offset + LARGEST_INPUT));
      };
      send(0);
    },
    final(done) {
      if (endless || socket.destroyed) done();
      else socket.end(done);
    },
  });
}
