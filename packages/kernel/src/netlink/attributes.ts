import { Buffer } from "node:buffer";
import { Internal } from "@boxship/base";

/**
 * Netlink attributes: type-length-value records on 4-byte boundaries (`struct nlattr`). Integers are in host order, which
 * is little-endian on every machine this program runs on; the `Be` variants exist for the few fields in network order.
 */

const HEADER = 4;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** The next multiple of four. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Writes a message's fixed part and its attributes. */
export class NetlinkWriter {
  #bytes = Buffer.alloc(256);
  #length = 0;

  /** Reserves `size` zeroed bytes, padded to a boundary, and returns them for filling; valid until the next call. */
  struct(size: number): Buffer {
    const start = this.#grow(align4(size));
    return this.#bytes.subarray(start, start + size);
  }

  bytes(type: number, value: Uint8Array): this {
    this.#attribute(type, value.length).set(value);
    return this;
  }

  flag(type: number): this {
    this.#attribute(type, 0);
    return this;
  }

  u8(type: number, value: number): this {
    this.#attribute(type, 1).writeUInt8(value);
    return this;
  }

  u16(type: number, value: number): this {
    this.#attribute(type, 2).writeUInt16LE(value);
    return this;
  }

  u16Be(type: number, value: number): this {
    this.#attribute(type, 2).writeUInt16BE(value);
    return this;
  }

  u32(type: number, value: number): this {
    this.#attribute(type, 4).writeUInt32LE(value >>> 0);
    return this;
  }

  u64Be(type: number, value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return this.bytes(type, bytes);
  }

  u32Be(type: number, value: number): this {
    this.#attribute(type, 4).writeUInt32BE(value >>> 0);
    return this;
  }

  /** A NUL-terminated string. */
  string(type: number, value: string): this {
    const text = Buffer.from(`${value}\0`);
    return this.bytes(type, text);
  }

  /** An attribute whose value is what `write` adds. */
  nested(type: number, write: (writer: this) => void): this {
    const start = this.#grow(HEADER);
    write(this);
    this.#bytes.writeUInt16LE(this.#length - start, start);
    this.#bytes.writeUInt16LE(type | NESTED, start + 2);
    return this;
  }

  /** What was written so far. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #attribute(type: number, size: number): Buffer {
    const start = this.#grow(HEADER + align4(size));
    this.#bytes.writeUInt16LE(HEADER + size, start);
    this.#bytes.writeUInt16LE(type, start + 2);
    return this.#bytes.subarray(start + HEADER, start + HEADER + size);
  }

  #grow(size: number): number {
    const start = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    return start;
  }
}

/** Every attribute in `bytes`, in order; flags of the type are removed. Throws {@link Internal} on a broken length. */
export function* eachAttribute(bytes: Buffer): Generator<readonly [type: number, value: Buffer]> {
  let offset = 0;
  while (offset + HEADER <= bytes.length) {
    const length = bytes.readUInt16LE(offset);
    if (length < HEADER || offset + length > bytes.length) {
      throw new Internal(`netlink attribute at ${offset} has length ${length}, beyond its message of ${bytes.length}`);
    }
    const type = bytes.readUInt16LE(offset + 2) & TYPE_MASK;
    yield [type, bytes.subarray(offset + HEADER, offset + length)];
    offset += align4(length);
  }
}

/** Attributes by type; of several with one type the last stays. */
export class Attributes {
  readonly #values: ReadonlyMap<number, Buffer>;

  constructor(bytes: Buffer) {
    this.#values = new Map(eachAttribute(bytes));
  }

  get(type: number): Buffer | undefined {
    return this.#values.get(type);
  }

  has(type: number): boolean {
    return this.#values.has(type);
  }

  u8(type: number): number | undefined {
    const value = this.#values.get(type);
    return value === undefined || value.length < 1 ? undefined : value.readUInt8();
  }

  u16(type: number): number | undefined {
    const value = this.#values.get(type);
    return value === undefined || value.length < 2 ? undefined : value.readUInt16LE();
  }

  u32(type: number): number | undefined {
    const value = this.#values.get(type);
    return value === undefined || value.length < 4 ? undefined : value.readUInt32LE();
  }

  i32(type: number): number | undefined {
    const value = this.#values.get(type);
    return value === undefined || value.length < 4 ? undefined : value.readInt32LE();
  }

  /** A string without its terminating NUL. */
  string(type: number): string | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return value.toString("utf8", 0, end === -1 ? value.length : end);
  }

  nested(type: number): Attributes | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : new Attributes(value);
  }

  /** The members of a list, which all have the same type. */
  list(type: number): Attributes[] {
    return [...eachAttribute(this.#values.get(type) ?? EMPTY)].map(([, value]) => new Attributes(value));
  }
}

const EMPTY = Buffer.alloc(0);
