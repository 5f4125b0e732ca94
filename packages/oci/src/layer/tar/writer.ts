import { InvalidArgument } from "@boxship/base/errors";
import { quote } from "./bytes.ts";
import { END_OF_ARCHIVE, encodeHeader } from "./encoder.ts";
import { paddingOf, type TarEntry } from "./entry.ts";

/**
 * Writes an archive as a sequence of large pieces: headers and small files are gathered, so that an archive of a
 * million tiny files is not a million tiny writes.
 *
 * The order of calls is `entry`, its content by `data` (for a sparse file only its extents, in order), the next `entry`,
 * …, `finish`.
 */
export class TarWriter {
  readonly #emit: (piece: Buffer) => void;
  readonly #pieceSize: number;
  #piece: Buffer;
  #filled = 0;
  #entry: TarEntry | undefined;
  #remaining = 0;
  #padding = 0;

  /**
   * @param emit receives each piece and owns it
   * @param pieceSize bytes in a piece
   */
  constructor(emit: (piece: Buffer) => void, pieceSize: number = 256 * 1024) {
    this.#emit = emit;
    this.#pieceSize = pieceSize;
    this.#piece = Buffer.allocUnsafeSlow(pieceSize);
  }

  /** Starts a member. The one before must be complete. */
  entry(entry: TarEntry): void {
    this.#close();
    const { header, storedSize } = encodeHeader(entry);
    this.#append(header);
    this.#entry = entry;
    this.#remaining = storedSize;
    this.#padding = paddingOf(storedSize);
  }

  /** Adds content to the current member; copies it. Throws `InvalidArgument` when it is more than was announced. */
  data(chunk: Uint8Array): void {
    if (chunk.length > this.#remaining) throw this.#mismatch("more");
    this.#remaining -= chunk.length;
    this.#append(chunk);
  }

  /**
   * Room for content in the piece that is being filled, to read a file into without copying. At least one byte, at most
   * `wanted`; {@link advance} takes what was filled.
   */
  room(wanted: number): Buffer {
    if (this.#filled === this.#pieceSize) this.#flush();
    return this.#piece.subarray(this.#filled, Math.min(this.#pieceSize, this.#filled + wanted));
  }

  /** Takes `length` bytes that were written into {@link room} as content. */
  advance(length: number): void {
    if (length > this.#remaining) throw this.#mismatch("more");
    this.#remaining -= length;
    this.#filled += length;
  }

  /** Content of the current member that is still missing, in bytes. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Ends the archive and emits what is left. */
  finish(): void {
    this.#close();
    this.#append(END_OF_ARCHIVE);
    this.#flush();
  }

  #close(): void {
    if (this.#remaining > 0) throw this.#mismatch("less");
    if (this.#padding > 0) this.#append(END_OF_ARCHIVE.subarray(0, this.#padding));
    this.#padding = 0;
  }

  #mismatch(what: string): InvalidArgument {
    const name = quote(this.#entry?.name ?? "");
    return new InvalidArgument(`tar entry ${name}: its content is ${what} than the size that was announced`);
  }

  #append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#filled === this.#pieceSize) this.#flush();
      const count = Math.min(bytes.length - at, this.#pieceSize - this.#filled);
      this.#piece.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const piece = this.#piece.subarray(0, this.#filled);
    this.#piece = Buffer.allocUnsafeSlow(this.#pieceSize);
    this.#filled = 0;
    this.#emit(piece);
  }
}

/** A member to be written: content as bytes, or as a stream of exactly `entry.size` bytes. */
export interface TarInput {
  readonly entry: TarEntry;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** An archive as a stream of large pieces. Content of sparse entries must be given as their extents only. */
export async function* writeTar(inputs: AsyncIterable<TarInput> | Iterable<TarInput>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const writer = new TarWriter((piece) => void ready.push(piece));
  const take = () => {
    const pieces = ready;
    ready = [];
    return pieces;
  };
  for await (const { entry, body } of inputs) {
    writer.entry(entry);
    if (body instanceof Uint8Array) writer.data(body);
    else if (body !== undefined) {
      for await (const chunk of body) {
        writer.data(chunk);
        yield* take();
      }
    }
    yield* take();
  }
  writer.finish();
  yield* take();
}
