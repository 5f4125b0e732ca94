import { InvalidArgument } from "@boxship/base";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * Protobuf messages (proto3) as tables of field numbers. The types of the values follow from the tables, so that nothing
 * is generated and nothing is written twice. Unknown fields are skipped.
 */
export interface MessageType<Value> {
  /** For messages of errors. */
  readonly name: string;
  /** @throws InvalidArgument when the bytes are no such message */
  decode(bytes: Uint8Array): Value;
  encode(value: Init<Value>): Uint8Array;
  /** @internal */
  readonly read: (reader: BinaryReader, end: number, depth: number) => Value;
  /** @internal */
  readonly write: (writer: BinaryWriter, value: Init<Value>) => void;
}

/** A message to be written: what is left out has its default. */
export type Init<Value> = Value extends Uint8Array | string | number | bigint | boolean | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : Value extends object
      ? { readonly [Key in keyof Value]?: Init<Value[Key]> | undefined }
      : Value;

/** What a message type holds. */
export type ValueOf<Type> = Type extends MessageType<infer Value> ? Value : never;

/** One value on the wire, without its number. */
interface Codec<Value> {
  readonly wireType: WireType;
  /** Proto3 does not write defaults. */
  readonly isDefault: (value: Value) => boolean;
  readonly initial: () => Value;
  readonly read: (reader: BinaryReader, depth: number) => Value;
  readonly write: (writer: BinaryWriter, value: Value) => void;
}

/** One entry of a message's table. */
export interface Field<Value> {
  readonly id: number;
  readonly initial: () => Value;
  /** Takes one occurrence in; `before` is what was there. */
  readonly read: (reader: BinaryReader, wireType: WireType, before: Value, depth: number) => Value;
  readonly write: (writer: BinaryWriter, value: Value) => void;
  /** As many are taken; who sends more is refused while they are read, before they cost more. @default any number */
  readonly most?: number;
}

type FieldsOf<Value> = { readonly [Key in keyof Value]: Field<Value[Key]> };

/** Messages nest no deeper than that; deeper ones are an attack. */
const MAX_DEPTH = 100;

const stringCodec: Codec<string> = {
  wireType: WireType.LengthDelimited,
  isDefault: (value) => value === "",
  initial: () => "",
  read: (reader) => reader.string(),
  write: (writer, value) => void writer.string(value),
};
/** Bytes that need not be text, each as one char: names of files. */
const latin1Codec: Codec<string> = {
  wireType: WireType.LengthDelimited,
  isDefault: (value) => value === "",
  initial: () => "",
  read: (reader) => {
    const { buffer, byteOffset, length } = reader.bytes();
    return Buffer.from(buffer, byteOffset, length).toString("latin1");
  },
  write: (writer, value) => void writer.bytes(Buffer.from(value, "latin1")),
};
const NO_BYTES = new Uint8Array(0);
const bytesCodec: Codec<Uint8Array> = {
  wireType: WireType.LengthDelimited,
  isDefault: (value) => value.length === 0,
  initial: () => NO_BYTES,
  read: (reader) => reader.bytes(),
  write: (writer, value) => void writer.bytes(value),
};
const boolCodec: Codec<boolean> = {
  wireType: WireType.Varint,
  isDefault: (value) => !value,
  initial: () => false,
  read: (reader) => reader.bool(),
  write: (writer, value) => void writer.bool(value),
};

function numberCodec(
  read: (reader: BinaryReader) => number,
  write: (writer: BinaryWriter, value: number) => void,
): Codec<number> {
  return { wireType: WireType.Varint, isDefault: (value) => value === 0, initial: () => 0, read, write };
}
const int32Codec = numberCodec(
  (reader) => reader.int32(),
  (writer, value) => void writer.int32(value),
);
const uint32Codec = numberCodec(
  (reader) => reader.uint32(),
  (writer, value) => void writer.uint32(value),
);
/** Sizes and counts: beyond 2^53 they are rounded. */
const int64Codec = numberCodec(
  (reader) => Number(reader.int64()),
  (writer, value) => void writer.int64(BigInt(Math.trunc(value))),
);
const doubleCodec: Codec<number> = {
  wireType: WireType.Bit64,
  isDefault: (value) => value === 0,
  initial: () => 0,
  read: (reader) => reader.double(),
  write: (writer, value) => void writer.double(value),
};
const bigCodec: Codec<bigint> = {
  wireType: WireType.Varint,
  isDefault: (value) => value === 0n,
  initial: () => 0n,
  read: (reader) => BigInt(reader.int64()),
  write: (writer, value) => void writer.int64(value),
};

function single<Value>(codec: Codec<Value>): (id: number) => Field<Value> {
  return (id) => ({
    id,
    initial: codec.initial,
    read: (reader, wireType, _before, depth) => {
      requireWireType(id, wireType, codec.wireType);
      return codec.read(reader, depth);
    },
    write: (writer, value) => {
      if (codec.isDefault(value)) return;
      writer.tag(id, codec.wireType);
      codec.write(writer, value);
    },
  });
}

function requireWireType(id: number, found: WireType, wanted: WireType): void {
  if (found !== wanted) throw new InvalidArgument(`field ${id} has wire type ${found}, ${wanted} is expected`);
}

function messageCodec<Value>(type: MessageType<Value>): Codec<Value> {
  return {
    wireType: WireType.LengthDelimited,
    isDefault: () => false,
    initial: () => type.decode(NO_BYTES),
    read: (reader, depth) => {
      const length = reader.uint32();
      const end = reader.pos + length;
      if (end > reader.len) throw new InvalidArgument("the message is cut off");
      return type.read(reader, end, depth + 1);
    },
    write: (writer, value) => {
      writer.fork();
      type.write(writer, value as Init<Value>);
      writer.join();
    },
  };
}

/** Strings, bytes or messages, in order. */
function repeated<Value>(codec: Codec<Value>): (id: number) => Field<readonly Value[]> {
  return (id) => ({
    id,
    initial: () => [],
    read: (reader, wireType, before, depth) => {
      const list = before as Value[];
      if (codec.wireType === WireType.Varint && wireType === WireType.LengthDelimited) {
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) list.push(codec.read(reader, depth));
        return list;
      }
      requireWireType(id, wireType, codec.wireType);
      list.push(codec.read(reader, depth));
      return list;
    },
    write: (writer, values) => {
      for (const value of values) {
        writer.tag(id, codec.wireType);
        codec.write(writer, value);
      }
    },
  });
}

/** `map<string, Value>` as an object without a prototype. */
function map<Value>(codec: Codec<Value>): (id: number) => Field<Readonly<Record<string, Value>>> {
  return (id) => ({
    id,
    initial: () => Object.create(null) as Record<string, Value>,
    read: (reader, wireType, before, depth) => {
      requireWireType(id, wireType, WireType.LengthDelimited);
      const end = reader.uint32() + reader.pos;
      let key = "";
      let value: Value | undefined;
      while (reader.pos < end) {
        const [number, type] = reader.tag();
        if (number === 1) key = stringCodec.read(reader, depth);
        else if (number === 2) value = codec.read(reader, depth);
        else reader.skip(type);
      }
      (before as Record<string, Value>)[key] = value ?? codec.initial();
      return before;
    },
    write: (writer, values) => {
      for (const [key, value] of Object.entries(values)) {
        writer.tag(id, WireType.LengthDelimited).fork();
        writer.tag(1, WireType.LengthDelimited).string(key);
        writer.tag(2, codec.wireType);
        codec.write(writer, value);
        writer.join();
      }
    },
  });
}

const nested = <Value>(id: number, type: MessageType<Value>): Field<Value | undefined> => {
  const codec = messageCodec(type);
  return {
    id,
    initial: () => undefined,
    read: (reader, wireType, _before, depth) => {
      requireWireType(id, wireType, WireType.LengthDelimited);
      return codec.read(reader, depth);
    },
    write: (writer, value) => {
      if (value === undefined) return;
      writer.tag(id, WireType.LengthDelimited);
      codec.write(writer, value);
    },
  };
};

/** The kinds of field; each takes the field's number. */
export const field = {
  string: single(stringCodec),
  /** A string on the wire that need not be UTF-8: each char is one byte. */
  latin1: single(latin1Codec),
  bytes: single(bytesCodec),
  bool: single(boolCodec),
  /** Enumerations, too. */
  int32: single(int32Codec),
  uint32: single(uint32Codec),
  /** Sizes and counts as numbers; beyond 2^53 they are rounded. */
  int64: single(int64Codec),
  /** All 64 bits, e.g. nanoseconds since the epoch. */
  big: single(bigCodec),
  double: single(doubleCodec),
  strings: repeated(stringCodec),
  int32s: repeated(int32Codec),
  int64s: repeated(int64Codec),
  manyBytes: repeated(bytesCodec),
  stringMap: map(stringCodec),
  bytesMap: map(bytesCodec),
  boolMap: map(boolCodec),
  /** Undefined when it was not sent. */
  message: nested,
  /** @param most see {@link Field.most} */
  messages: <Value>(id: number, type: MessageType<Value>, most?: number): Field<readonly Value[]> => ({
    ...repeated(messageCodec(type))(id),
    ...(most === undefined ? {} : { most }),
  }),
  messageMap: <Value>(id: number, type: MessageType<Value>): Field<Readonly<Record<string, Value>>> =>
    map(messageCodec(type))(id),
} as const;

/** @param name as in its `.proto`, without the package */
export function message<Value extends object>(name: string, fields: FieldsOf<Value>): MessageType<Readonly<Value>> {
  const entries = Object.entries(fields) as unknown as readonly (readonly [string, Field<unknown>])[];
  const byId = new Map(entries.map(([key, entry]) => [entry.id, [key, entry] as const]));
  const read = (reader: BinaryReader, end: number, depth: number): Readonly<Value> => {
    if (depth > MAX_DEPTH) throw new InvalidArgument(`${name} is nested too deeply`);
    const values: Record<string, unknown> = {};
    for (const [key, entry] of entries) values[key] = entry.initial();
    while (reader.pos < end) {
      const [id, wireType] = reader.tag();
      const known = byId.get(id);
      if (known === undefined) {
        reader.skip(wireType, id);
        continue;
      }
      const [key, { read: readOne, most }] = known;
      values[key] = readOne(reader, wireType, values[key], depth);
      if (most !== undefined && (values[key] as readonly unknown[]).length > most)
        throw new InvalidArgument(`${key}: more than ${most} are not taken`);
    }
    if (reader.pos > end) throw new InvalidArgument("the message is cut off");
    return values as Readonly<Value>;
  };
  const write = (writer: BinaryWriter, value: Init<Readonly<Value>>): void => {
    const given = value as Readonly<Record<string, unknown>>;
    for (const [key, entry] of entries) if (given[key] !== undefined) entry.write(writer, given[key]);
  };
  return {
    name,
    read,
    write,
    decode: (bytes) => {
      try {
        return read(new BinaryReader(bytes), bytes.length, 0);
      } catch (cause) {
        throw new InvalidArgument(`malformed ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        });
      }
    },
    encode: (value) => {
      const writer = new BinaryWriter();
      write(writer, value);
      return writer.finish();
    },
  };
}
