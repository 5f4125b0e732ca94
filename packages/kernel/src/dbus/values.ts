import { InvalidArgument } from "@boxship/base";

/** Values in messages: "Type System" and "Marshaling" of the D-Bus specification 0.43. */

/**
 * By its type: `y n q i u h` and `d` a number (`h` an index into the message's descriptors), `x t` a bigint, `b` a boolean, `s o g` a
 * string, arrays and structures an array, a dictionary an array of pairs, `v` a {@link Variant}.
 */
export type DbusValue = number | bigint | boolean | string | Variant | readonly DbusValue[];

export interface Variant {
  /** One complete type. */
  readonly signature: string;
  readonly value: DbusValue;
}

/** Of containers in each other. */
const DEEPEST = 64;

const ALIGNMENTS: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, g: 1, v: 1, x: 8, t: 8, d: 8, "(": 8, "{": 8 };
const alignmentOf = (type: string): number => ALIGNMENTS[type[0] ?? ""] ?? 4;

/** The complete types that a signature is made of. @throws InvalidArgument for one that is none */
export function typesOf(signature: string): readonly string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, at: number, depth: number): number {
  const refuse = (): never => {
    throw new InvalidArgument(`${JSON.stringify(signature)} is no D-Bus signature`);
  };
  if (depth > DEEPEST) refuse();
  const type = signature[at];
  if (type === "a") return endOfType(signature, at + 1, depth + 1);
  if (type === "(" || type === "{") {
    const close = type === "(" ? ")" : "}";
    let next = at + 1;
    while (next < signature.length && signature[next] !== close) next = endOfType(signature, next, depth + 1);
    return next < signature.length && next > at + 1 ? next + 1 : refuse();
  }
  return type !== undefined && "ynqiuxtdbsoghv".includes(type) ? at + 1 : refuse();
}

/** Writes values, little-endian. */
export class ValueWriter {
  readonly #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  align(to: number): void {
    const rest = this.#length % to;
    if (rest !== 0) this.#push(Buffer.alloc(to - rest));
  }

  /** @throws InvalidArgument for a value that is not of its type */
  write(signature: string, values: readonly DbusValue[]): void {
    const types = typesOf(signature);
    if (types.length !== values.length) throw new InvalidArgument(`${values.length} values are not "${signature}"`);
    types.forEach((type, index) => this.#write(type, values[index] as DbusValue));
  }

  #write(type: string, value: DbusValue): void {
    this.align(alignmentOf(type));
    if (typeof value === "object") this.#container(type, value);
    else if (typeof value === "string") this.#text(type, value);
    else this.#number(type, value);
  }

  #container(type: string, value: Variant | readonly DbusValue[]): void {
    if ("signature" in value) {
      if (type !== "v") return mismatch(type);
      this.#text("g", value.signature);
      this.write(value.signature, [value.value]);
    } else if (type[0] === "a") {
      // The length does not count the padding before the first element.
      const length = Buffer.alloc(4);
      this.#push(length);
      const element = type.slice(1);
      this.align(alignmentOf(element));
      const begin = this.#length;
      for (const one of value) this.#write(element, one);
      length.writeUInt32LE(this.#length - begin);
    } else if (type[0] === "(" || type[0] === "{") this.write(type.slice(1, -1), value);
    else mismatch(type);
  }

  #text(type: string, text: string): void {
    const bytes = Buffer.from(`${text}\0`);
    if (text.includes("\0")) throw new InvalidArgument("a string of D-Bus has no NUL");
    const length = type === "g" ? Buffer.of(bytes.length - 1) : Buffer.alloc(4);
    if (type === "s" || type === "o") length.writeUInt32LE(bytes.length - 1);
    else if (type !== "g") mismatch(type);
    this.#push(length);
    this.#push(bytes);
  }

  #number(type: string, value: number | bigint | boolean): void {
    const codec = NUMBERS[type];
    if (codec === undefined || typeof value !== codec.of) return mismatch(type);
    const bytes = Buffer.alloc(codec.size);
    codec.write(bytes, value);
    this.#push(bytes);
  }

  #push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}

function mismatch(type: string): never {
  throw new InvalidArgument(`a value is not of D-Bus's type "${type}"`);
}

interface NumberCodec {
  readonly of: "number" | "bigint" | "boolean";
  readonly size: number;
  readonly write: (bytes: Buffer, value: number | bigint | boolean) => void;
  readonly read: (bytes: Buffer, at: number, little: boolean) => number | bigint | boolean;
}

const NUMBERS: Readonly<Record<string, NumberCodec>> = {
  y: {
    of: "number",
    size: 1,
    write: (bytes, value) => bytes.writeUInt8(Number(value)),
    read: (bytes, at) => bytes.readUInt8(at),
  },
  n: {
    of: "number",
    size: 2,
    write: (bytes, value) => bytes.writeInt16LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readInt16LE(at) : bytes.readInt16BE(at)),
  },
  q: {
    of: "number",
    size: 2,
    write: (bytes, value) => bytes.writeUInt16LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)),
  },
  i: {
    of: "number",
    size: 4,
    write: (bytes, value) => bytes.writeInt32LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readInt32LE(at) : bytes.readInt32BE(at)),
  },
  u: {
    of: "number",
    size: 4,
    write: (bytes, value) => bytes.writeUInt32LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)),
  },
  h: {
    of: "number",
    size: 4,
    write: (bytes, value) => bytes.writeUInt32LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)),
  },
  x: {
    of: "bigint",
    size: 8,
    write: (bytes, value) => bytes.writeBigInt64LE(BigInt(value)),
    read: (bytes, at, little) => (little ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at)),
  },
  t: {
    of: "bigint",
    size: 8,
    write: (bytes, value) => bytes.writeBigUInt64LE(BigInt(value)),
    read: (bytes, at, little) => (little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)),
  },
  d: {
    of: "number",
    size: 8,
    write: (bytes, value) => bytes.writeDoubleLE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at)),
  },
  b: {
    of: "boolean",
    size: 4,
    write: (bytes, value) => bytes.writeUInt32LE(Number(value)),
    read: (bytes, at, little) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) === 1,
  },
};

/** Reads values of either byte order. */
export class ValueReader {
  readonly #bytes: Buffer;
  readonly #little: boolean;
  #at: number;

  constructor(bytes: Buffer, little: boolean, at = 0) {
    this.#bytes = bytes;
    this.#little = little;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  /** @throws InvalidArgument for bytes that are no such values */
  read(signature: string): readonly DbusValue[] {
    try {
      return typesOf(signature).map((type) => this.#read(type, 0));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new InvalidArgument("a message of D-Bus ends too early", { cause: error });
    }
  }

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to;
  }

  #read(type: string, depth: number): DbusValue {
    if (depth > DEEPEST) throw new InvalidArgument("a message of D-Bus has too many containers in each other");
    this.align(alignmentOf(type));
    const codec = NUMBERS[type];
    if (codec !== undefined) {
      const value = codec.read(this.#bytes, this.#at, this.#little);
      this.#at += codec.size;
      return value;
    }
    if (type === "s" || type === "o" || type === "g") return this.#text(type);
    if (type === "v") {
      const signature = this.#text("g");
      const [only, ...more] = typesOf(signature);
      if (only === undefined || more.length > 0) throw new InvalidArgument("a variant of D-Bus has one type");
      return { signature, value: this.#read(only, depth + 1) };
    }
    if (type[0] === "a") return this.#array(type.slice(1), depth);
    return typesOf(type.slice(1, -1)).map((one) => this.#read(one, depth + 1));
  }

  #array(element: string, depth: number): DbusValue {
    const length = Number(this.#read("u", depth));
    this.align(alignmentOf(element));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new InvalidArgument("an array of D-Bus ends behind its message");
    const values: DbusValue[] = [];
    while (this.#at < end) values.push(this.#read(element, depth + 1));
    return values;
  }

  #text(type: string): string {
    const length = Number(type === "g" ? this.#read("y", 0) : this.#read("u", 0));
    const begin = this.#at;
    if (begin + length >= this.#bytes.length) throw new InvalidArgument("a string of D-Bus ends behind its message");
    this.#at += length + 1;
    return this.#bytes.toString("utf8", begin, begin + length);
  }
}
