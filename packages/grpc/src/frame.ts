import { InvalidArgument, ResourceExhausted, Unsupported } from "@boxship/base";

/** Largest message that is taken unless somebody says otherwise; the same as BuildKit's. */
export const MAX_MESSAGE_BYTES = 16 << 20;

const HEAD = 5;

/** A message with its head: one byte for compression (none), four for the length. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEAD + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, HEAD);
  return framed;
}

/** Cuts a stream into messages. Each message that {@link push} gives is valid as long as the pieces are. */
export class FrameReader {
  #pending: Buffer[] = [];
  #length = 0;
  /** Of the message under way, once its head is there. */
  #wanted = -1;
  readonly #maxBytes: number;

  constructor(maxBytes = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a message that is not complete. */
  get unfinished(): boolean {
    return this.#length > 0 || this.#wanted >= 0;
  }

  /** @throws ResourceExhausted, Unsupported */
  *push(piece: Buffer): Generator<Buffer> {
    this.#pending.push(piece);
    this.#length += piece.length;
    for (;;) {
      if (this.#wanted < 0) {
        if (this.#length < HEAD) return;
        this.#wanted = readHead(this.#take(HEAD), this.#maxBytes);
      }
      if (this.#length < this.#wanted) return;
      const message = this.#take(this.#wanted);
      this.#wanted = -1;
      yield message;
    }
  }

  /** Call at the end of the stream. @throws InvalidArgument when it ended inside of a message */
  finish(): void {
    if (this.unfinished) throw new InvalidArgument("the stream ended inside of a message");
  }

  #take(count: number): Buffer {
    const first = this.#pending[0];
    this.#length -= count;
    if (first !== undefined && first.length >= count) {
      if (first.length === count) this.#pending.shift();
      else this.#pending[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const all = this.#pending.length === 1 && first !== undefined ? first : Buffer.concat(this.#pending);
    this.#pending = all.length === count ? [] : [all.subarray(count)];
    return all.subarray(0, count);
  }
}

function readHead(head: Buffer, maxBytes: number): number {
  if (head[0] !== 0)
    throw new Unsupported("compressed messages are not supported", { remedy: "send them as they are" });
  const length = head.readUInt32BE(1);
  if (length > maxBytes) throw new ResourceExhausted(`a message of ${length} bytes is larger than ${maxBytes}`);
  return length;
}
