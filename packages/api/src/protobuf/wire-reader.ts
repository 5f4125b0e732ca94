import { InvalidArgument } from "@boxship/base";

/** One field as it lies on the wire. */
export type WireField =
  | { readonly number: number; readonly type: "varint" | "fixed64"; readonly bits: bigint }
  | { readonly number: number; readonly type: "bytes"; readonly bytes: Buffer };

/** Reads the fields of a protobuf message one after another. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws InvalidArgument for what is no protobuf */
  *fields(): Generator<WireField> {
    while (this.#at < this.#bytes.length) {
      const tag = this.#small();
      const number = tag >>> 3;
      switch (tag & 7) {
        case 0:
          yield { number, type: "varint", bits: this.#varint() };
          break;
        case 1:
          yield { number, type: "fixed64", bits: this.#take(8).readBigUInt64LE() };
          break;
        case 2:
          yield { number, type: "bytes", bytes: this.#take(this.#small()) };
          break;
        case 5:
          this.#take(4);
          break;
        default:
          throw malformed();
      }
    }
  }

  /** Most tags and lengths are of one byte or two. */
  #small(): number {
    const first = this.#bytes[this.#at] ?? 0x80;
    if (first < 0x80) {
      this.#at++;
      return first;
    }
    const second = this.#bytes[this.#at + 1] ?? 0x80;
    if (second >= 0x80) return Number(this.#varint());
    this.#at += 2;
    return (first & 0x7f) | (second << 7);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed();
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

const malformed = (): Error => new InvalidArgument("the body is no well-formed protobuf");
