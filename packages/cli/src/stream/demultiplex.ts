import type { Readable, Writable } from "node:stream";
import { Failure } from "../failure.ts";
import { writeAll } from "./write-all.ts";

/** Where the parts of a container's output go; a part without a place is dropped. */
export interface OutputPlaces {
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
}

const HEADER_BYTES = 8;

/** A larger frame than any engine sends: the stream is no multiplexed one. */
const MAX_FRAME_BYTES = 1 << 30;

/** Splits the engine's stream of frames: one byte of stream type, three of nothing, four of length, then the bytes. */
export class Demultiplexer {
  readonly #places: OutputPlaces;
  #pending: Buffer = Buffer.alloc(0);
  #left = 0;
  #target: Writable | undefined;
  #error: Buffer[] | undefined;

  constructor(places: OutputPlaces) {
    this.#places = places;
  }

  /** @throws Failure for bytes that are no frames, or when the engine reports a failure in the stream */
  async push(chunk: Buffer): Promise<void> {
    let data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    while (data.length > 0) {
      if (this.#left === 0) {
        if (data.length < HEADER_BYTES) break;
        this.#begin(data);
        data = data.subarray(HEADER_BYTES);
      }
      const part = data.subarray(0, this.#left);
      data = data.subarray(part.length);
      this.#left -= part.length;
      await this.#deliver(part);
    }
    this.#pending = data;
  }

  /** @throws Failure when the stream ended inside of a frame */
  end(): void {
    if (this.#left > 0 || this.#pending.length > 0) {
      throw new Failure("the engine closed the connection in the middle of the container's output");
    }
  }

  #begin(header: Buffer): void {
    const type = header.readUInt8(0);
    this.#left = header.readUInt32BE(4);
    if (type > 3 || this.#left > MAX_FRAME_BYTES) throw new Failure(`Unrecognized input header: ${type}`);
    this.#target = type === 2 ? this.#places.stderr : type === 3 ? undefined : this.#places.stdout;
    this.#error = type === 3 ? [] : undefined;
  }

  async #deliver(part: Buffer): Promise<void> {
    if (this.#error !== undefined) {
      this.#error.push(part);
      if (this.#left > 0) return;
      throw new Failure(`error from daemon in stream: ${Buffer.concat(this.#error).toString()}`);
    }
    if (part.length > 0 && this.#target !== undefined) await writeAll(this.#target, part);
  }
}

/** Copies a multiplexed stream to its places until it ends. */
export async function demultiplex(input: Readable, places: OutputPlaces, head?: Buffer): Promise<void> {
  const demultiplexer = new Demultiplexer(places);
  if (head !== undefined && head.length > 0) await demultiplexer.push(head);
  for await (const chunk of input) await demultiplexer.push(chunk as Buffer);
  demultiplexer.end();
}
