import { Unavailable } from "@boxship/base";
import type { BlobReader, Digest } from "@boxship/oci";

const CHUNK = 256 * 1024;

/** Reads an object by one request for as long as it is read in its order. */
export class S3Reader implements BlobReader {
  readonly digest: Digest;
  readonly size: number;
  readonly #body: (from: number) => Promise<Response>;
  #stream: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What arrived and was not asked for yet; it begins at {@link #at}. */
  #rest: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(digest: Digest, size: number, body: (from: number) => Promise<Response>) {
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
    if (wanted === 0) return 0;
    if (this.#stream === undefined || this.#at !== offset) await this.#seek(offset);
    let done = 0;
    while (done < wanted) {
      if (this.#rest.byteLength === 0 && !(await this.#more())) break;
      const piece = this.#rest.subarray(0, wanted - done);
      target.set(piece, done);
      this.#rest = this.#rest.subarray(piece.byteLength);
      done += piece.byteLength;
    }
    this.#at += done;
    return done;
  }

  async *chunks(offset = 0): AsyncIterable<Uint8Array> {
    for (let at = offset; at < this.size; ) {
      const chunk = await this.read(at, CHUNK);
      if (chunk.byteLength === 0) return;
      yield chunk;
      at += chunk.byteLength;
    }
  }

  async #seek(offset: number): Promise<void> {
    await this.#end();
    const { body } = await this.#body(offset);
    this.#stream = body?.getReader();
    this.#rest = new Uint8Array();
    this.#at = offset;
  }

  async #more(): Promise<boolean> {
    try {
      const { value, done } = (await this.#stream?.read()) ?? { value: undefined, done: true };
      this.#rest = value ?? new Uint8Array();
      return !done;
    } catch (error) {
      throw new Unavailable(`the object store broke off within blob ${this.digest}`, { cause: error });
    }
  }

  async #end(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.cancel().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
