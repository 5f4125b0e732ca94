import { InvalidArgument } from "@boxship/base/errors";

/** Numbers of more bits are nobody's key: they would only cost time. */
const MOST_BITS = 16_384;

/** Reads what stands in a packet, never behind its end. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws InvalidArgument where there are not so many */
  take(count: number): Buffer {
    if (count > this.left) throw new InvalidArgument(`${this.#what} is cut off`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  number(bytes: 2 | 4): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  rest(): Buffer {
    return this.take(this.left);
  }

  /** A number of any size, RFC 9580 section 3.2. @returns its bytes, the first of which is not 0 */
  integer(): Buffer {
    const bits = this.number(2);
    if (bits > MOST_BITS) throw new InvalidArgument(`${this.#what} has a number of ${bits} bits`);
    const bytes = this.take((bits + 7) >> 3);
    let from = 0;
    while (from < bytes.length && bytes[from] === 0) from++;
    return bytes.subarray(from);
  }
}

/** The other way: bits, then bytes. */
export function integerBytes(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length && bytes[from] === 0) from++;
  const body = Buffer.from(bytes.subarray(from));
  const bits = body.length === 0 ? 0 : body.length * 8 - Math.clz32(body[0] ?? 0) + 24;
  return Buffer.concat([word(bits, 2), body]);
}

/** A number of two or four bytes, the highest first. */
export function word(value: number, bytes: 2 | 4): Buffer {
  const result = Buffer.alloc(bytes);
  result.writeUIntBE(value, 0, bytes);
  return result;
}

/** Bytes with zeros before them. @throws InvalidArgument where there are more already */
export function padded(bytes: Buffer, length: number): Buffer {
  if (bytes.length > length) throw new InvalidArgument("a number of an OpenPGP key or signature is too large");
  return Buffer.concat([Buffer.alloc(length - bytes.length), bytes]);
}
