import type { Transform } from "node:stream";
import { constants, createDeflate, createInflate, type Zlib } from "node:zlib";
import { InvalidArgument } from "@boxship/base";
import { SPDY_DICTIONARY } from "./spdy-dictionary.ts";

export type SpdyHeaders = ReadonlyMap<string, string>;

const OPTIONS = { dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
/** More is no header of ours. */
const MOST_BYTES = 64 * 1024;

/** One direction of header compression: what was sent before is known to the other side. Calls come one after another. */
class Codec implements Disposable {
  readonly #stream: Transform & Zlib;
  readonly #parts: Buffer[] = [];
  #failed: Error | undefined;

  constructor(stream: Transform & Zlib) {
    this.#stream = stream;
    stream.on("data", (part: Buffer) => this.#parts.push(part));
    stream.on("error", (error: Error) => (this.#failed = error));
  }

  run(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        const failed = error ?? this.#failed;
        if (failed != null) reject(new InvalidArgument(`headers cannot be read: ${failed.message}`, { cause: failed }));
        else resolve(Buffer.concat(this.#parts.splice(0)));
      });
    });
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}

/** The headers of both directions of a connection. */
export class SpdyHeaderCodec implements Disposable {
  readonly #inflate = new Codec(createInflate(OPTIONS));
  readonly #deflate = new Codec(createDeflate(OPTIONS));

  async decode(block: Buffer): Promise<SpdyHeaders> {
    const bytes = await this.#inflate.run(block);
    if (bytes.length > MOST_BYTES) throw new InvalidArgument("headers are too large");
    let at = 0;
    const number = (): number => {
      if (at + 4 > bytes.length) throw new InvalidArgument("headers are cut off");
      at += 4;
      return bytes.readUInt32BE(at - 4);
    };
    const text = (): string => {
      const length = number();
      if (at + length > bytes.length) throw new InvalidArgument("headers are cut off");
      at += length;
      return bytes.toString("latin1", at - length, at);
    };
    const headers = new Map<string, string>();
    for (let left = number(); left > 0; left--) headers.set(text().toLowerCase(), text());
    return headers;
  }

  encode(headers: SpdyHeaders): Promise<Buffer> {
    const parts: Buffer[] = [lengthBytes(headers.size)];
    for (const [name, value] of headers) {
      parts.push(
        lengthBytes(Buffer.byteLength(name)),
        Buffer.from(name),
        lengthBytes(Buffer.byteLength(value)),
        Buffer.from(value),
      );
    }
    return this.#deflate.run(Buffer.concat(parts));
  }

  [Symbol.dispose](): void {
    this.#inflate[Symbol.dispose]();
    this.#deflate[Symbol.dispose]();
  }
}

function lengthBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
