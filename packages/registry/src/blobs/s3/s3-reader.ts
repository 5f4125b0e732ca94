import { Unavailable } from "@boxship/base";
import type { BlobReader, Digest } from "@boxship/oci";

const CHUNK = 256 * 1024;
/** How often an object is asked for again where its bytes broke off without one more. */
const ATTEMPTS = 3;

/** Reads an object by one request for as long as it is read in its order, and it does not break off. */
export class S3Reader implements BlobReader {
  readonly digest: Digest;
  readonly size: number;
  readonly #body: (from: number) => Promise<AsyncIterable<Uint8Array>>;
  #stream: AsyncIterator<Uint8Array> | undefined;
  /** What arrived and was not asked for yet; it begins at {@link #at}. */
  #rest: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(digest: Digest, size: number, body: (from: number) => Promise<AsyncIterable<Uint8Array>>) {
    this.digest = digest;
    this.size = size;
    this.#body = body;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(length, Math.max(0, this.size - offset)));
    return buffer.subarray(0, await this.readInto(buffer, offset));
  }

  async readInto(target: Uint8Array, offset: number): Promise<number> {
    const wanted = Math.min(target.byteLength, Math.max(0, this.size - offset));
    if (this.#at !== offset) await this.#end();
    this.#at = offset;
    for (let done = 0; done < wanted; ) {
      if (this.#rest.byteLength === 0) await this.#more();
      const piece = this.#rest.subarray(0, wanted - done);
      target.set(piece, done);
      this.#rest = this.#rest.subarray(piece.byteLength);
      done += piece.byteLength;
      this.#at += piece.byteLength;
    }
    return wanted;
  }

  async *chunks(offset = 0): AsyncIterable<Uint8Array> {
    for (let at = offset; at < this.size; ) {
      const chunk = await this.read(at, CHUNK);
      yield chunk;
      at += chunk.byteLength;
    }
  }

  /** At least one byte more. @throws Unavailable */
  async #more(): Promise<void> {
    let cause: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        this.#stream ??= (await this.#body(this.#at))[Symbol.asyncIterator]();
        const { value, done } = await this.#stream.next();
        if (done !== true && value.byteLength > 0) {
          this.#rest = value;
          return;
        }
        if (done !== true) continue;
      } catch (error) {
        if (error instanceof Unavailable) throw error;
        cause = error;
      }
      await this.#end();
    }
    throw new Unavailable(`the object store broke off within blob ${this.digest}`, { cause });
  }

  async #end(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#rest = new Uint8Array();
    await stream?.return?.().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
