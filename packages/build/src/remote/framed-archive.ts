import { InvalidArgument } from "@boxship/base";

/**
 * Cuts a stream into an archive, which comes in pieces with their lengths (four bytes, big endian) before them and ends
 * with a length of 0, and what follows it.
 */
export class FramedArchive {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array();
  /** Bytes of the piece that are still to come. */
  #missing = 0;
  #ended = false;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** The archive from where the last call was left. @throws InvalidArgument when the stream ends before it */
  async *pieces(): AsyncGenerator<Buffer> {
    while (!this.#ended) {
      if (this.#missing === 0) await this.#readLength();
      else {
        if (this.#left.length === 0) await this.#fill();
        const piece = Buffer.from(this.#left.subarray(0, this.#missing));
        this.#left = this.#left.subarray(piece.length);
        this.#missing -= piece.length;
        yield piece;
      }
    }
  }

  /** What follows the archive, which has been read whole. */
  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#left.length > 0) yield this.#left;
    for (let next = await this.#iterator.next(); next.done !== true; next = await this.#iterator.next())
      yield next.value;
  }

  async #readLength(): Promise<void> {
    while (this.#left.length < 4) await this.#fill();
    this.#missing = Buffer.from(this.#left.subarray(0, 4)).readUInt32BE();
    this.#left = this.#left.subarray(4);
    this.#ended = this.#missing === 0;
  }

  async #fill(): Promise<void> {
    const next = await this.#iterator.next();
    if (next.done === true) throw new InvalidArgument("the context's archive has been cut off");
    this.#left = Buffer.concat([this.#left, next.value]);
  }
}
