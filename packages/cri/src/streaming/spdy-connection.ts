import { Duplex } from "node:stream";
import { InvalidArgument } from "@boxship/base";
import { SpdyHeaderCodec, type SpdyHeaders } from "./spdy-headers.ts";

const TYPE = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;
const VERSION = 3;
const FLAG_FIN = 1;
const STATUS_CANCEL = 5;
const HEADER_BYTES = 8;
/** A frame of a client of ours is not larger. */
const MOST_BYTES = 8 << 20;
/** Data goes out in pieces of that size, so that streams take turns. */
const PIECE_BYTES = 32 * 1024;
const NO_HEADERS: SpdyHeaders = new Map();

type Done = (error?: Error | null) => void;

/** A stream that was opened: both directions, each of which ends by itself. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #send: (data: Buffer, fin: boolean, done: Done) => void;
  readonly #reset: () => void;

  constructor(
    id: number,
    headers: SpdyHeaders,
    send: (data: Buffer, fin: boolean, done: Done) => void,
    reset: () => void,
  ) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#send = send;
    this.#reset = reset;
    // A stream that was reset is no failure of ours.
    this.on("error", () => {});
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, false, done);
  }

  override _final(done: Done): void {
    this.#send(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.writableFinished) this.#reset();
    done(error);
  }
}

/**
 * A side of SPDY/3.1, as far as the Kubernetes API uses it: clients open streams, each is accepted, data flows both ways. There is no flow control of single streams, as in those clients.
 */
export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #codec = new SpdyHeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #opened: (stream: SpdyStream) => void;
  #opening: Promise<unknown> = Promise.resolve();
  #nextId = 1;

  /** @param opened is told each stream of the other side; what it is for is in its headers */
  constructor(transport: Duplex, opened: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#opened = opened;
  }

  /** Reads until the client has gone, or is not understood. Everything is closed then. */
  async run(): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        for (;;) {
          const size = frameSize(rest);
          if (size === undefined || rest.length < size) break;
          await this.#take(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
      }
    } finally {
      for (const stream of this.#streams.values()) stream.destroy();
      this.#transport.destroy();
      this.#codec[Symbol.dispose]();
    }
  }

  /** Opens a stream, as clients do. */
  open(headers: SpdyHeaders): Promise<SpdyStream> {
    // Compression goes on from one block to the next: blocks are made and sent one after another.
    const opened = this.#opening.then(async () => {
      const id = this.#nextId;
      this.#nextId += 2;
      const stream = this.#streamOf(id, headers);
      const head = Buffer.concat([words(id, 0), Buffer.alloc(2), await this.#codec.encode(headers)]);
      await this.#write(control(TYPE.synStream, head));
      return stream;
    });
    this.#opening = opened.catch(() => {});
    return opened;
  }

  #streamOf(id: number, headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(
      id,
      headers,
      (data, fin, done) => this.#send(id, data, fin, done),
      () => void this.#write(control(TYPE.rstStream, words(id, STATUS_CANCEL))).catch(() => {}),
    );
    this.#streams.set(id, stream);
    stream.once("close", () => this.#streams.delete(id));
    return stream;
  }

  /** No more is sent; what was sent before arrives. */
  close(): void {
    this.#transport.end();
  }

  async #take(frame: Buffer): Promise<void> {
    const first = frame.readUInt32BE(0);
    const flags = frame[4] ?? 0;
    const body = frame.subarray(HEADER_BYTES);
    if (first >>> 31 === 0) return this.#data(first, body, flags);
    const type = first & 0xffff;
    if (type === TYPE.synStream) await this.#accept(body, flags);
    else if (type === TYPE.rstStream) this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.destroy();
    else if (type === TYPE.ping) await this.#write(control(TYPE.ping, body.subarray(0, 4)));
  }

  #data(id: number, data: Buffer, flags: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.destroyed) return;
    // It is a part of a larger buffer, which goes on being read into.
    if (data.length > 0) stream.push(Buffer.from(data));
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
  }

  async #accept(body: Buffer, flags: number): Promise<void> {
    if (body.length < 10) throw new InvalidArgument("a frame is cut off");
    const id = body.readUInt32BE(0) & 0x7fffffff;
    const headers = await this.#codec.decode(body.subarray(10));
    const stream = this.#streamOf(id, headers);
    await this.#write(control(TYPE.synReply, Buffer.concat([words(id), await this.#codec.encode(NO_HEADERS)])));
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
    this.#opened(stream);
  }

  #send(id: number, data: Buffer, fin: boolean, done: Done): void {
    for (let at = 0; at < data.length; at += PIECE_BYTES) {
      const isLast = !fin && at + PIECE_BYTES >= data.length;
      this.#transport.write(dataFrame(id, data.subarray(at, at + PIECE_BYTES), 0), isLast ? done : undefined);
    }
    if (fin) this.#transport.write(dataFrame(id, Buffer.alloc(0), FLAG_FIN), done);
    else if (data.length === 0) done();
  }

  #write(frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#transport.write(frame, (error) => (error == null ? resolve() : reject(error)));
    });
  }
}

/** @returns undefined when it is not known yet. @throws InvalidArgument */
function frameSize(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const size = HEADER_BYTES + (bytes.readUInt32BE(4) & 0xffffff);
  if (size > MOST_BYTES) throw new InvalidArgument(`a frame of ${size} bytes is too large`);
  return size;
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at);
  return bytes;
}

function control(type: number, body: Buffer): Buffer {
  return Buffer.concat([words((0x80000000 | (VERSION << 16) | type) >>> 0, body.length), body]);
}

function dataFrame(id: number, data: Buffer, flags: number): Buffer {
  return Buffer.concat([words(id, ((flags << 24) | data.length) >>> 0), data]);
}
