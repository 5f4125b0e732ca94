import { finished } from "node:stream";
import { releaseBytes } from "../layer/release-bytes.ts";
import { type HttpResponse, NetworkFailure, networkFailure } from "./http.ts";

/**
 * Pieces of a body that were dealt with: their memory serves for those to come. Each is freed when the next one is there:
 * others that listen may still look at what is being handed out.
 */
export class SpentPieces {
  #last: Uint8Array | undefined;

  add(piece: Uint8Array): void {
    const last = this.#last;
    this.#last = piece;
    if (last !== undefined && last.buffer !== piece.buffer) releaseBytes(last);
  }
}

/**
 * Reads a small body into memory.
 *
 * @throws NetworkFailure if it is cut; with code `EMSGSIZE` if it has more than `limit` bytes
 */
export function readBody({ headers, body }: HttpResponse, limit: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const gathered = new Gathered(Number(headers["content-length"] ?? 0), limit);
  finished(body, (error) => {
    if (error) reject(networkFailure(error));
    else resolve(gathered.bytes());
  });
  body.on("data", (piece: Buffer) => {
    if (gathered.add(piece)) return;
    body.destroy(new NetworkFailure("EMSGSIZE", `the answer has more than ${limit} bytes`));
  });
  return promise;
}

/** Of an announced size, the pieces go where they belong at once: held until the end they cost more than they are. */
class Gathered {
  readonly #announced: number;
  readonly #limit: number;
  readonly #parts: Buffer[] = [];
  readonly #spent = new SpentPieces();
  #whole: Buffer | undefined;
  #size = 0;

  constructor(announced: number, limit: number) {
    this.#announced = announced;
    this.#limit = limit;
  }

  /** @returns false if it is too much */
  add(piece: Buffer): boolean {
    const start = this.#size;
    this.#size += piece.length;
    if (this.#size > this.#limit) return false;
    if (start === 0 && piece.length < this.#announced && this.#announced <= this.#limit) {
      this.#whole = Buffer.allocUnsafeSlow(this.#announced);
    }
    if (this.#whole === undefined) this.#parts.push(piece);
    else {
      piece.copy(this.#whole, start);
      this.#spent.add(piece);
    }
    return true;
  }

  bytes(): Buffer {
    return this.#whole?.subarray(0, this.#size) ?? Buffer.concat(this.#parts);
  }
}
