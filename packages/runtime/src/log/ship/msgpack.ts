/** MessagePack, as much of it as the forward protocol of Fluentd needs. */

/** An integer that is not negative, up to 2^32. */
export function packInteger(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  const packed = Buffer.alloc(5);
  packed[0] = 0xce;
  packed.writeUInt32BE(value, 1);
  return packed;
}

/** A string. Its bytes are not looked at: they may be any. */
export function packString(text: string | Buffer): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return Buffer.concat([stringHeader(bytes.length), bytes]);
}

function stringHeader(length: number): Buffer {
  if (length < 32) return Buffer.from([0xa0 | length]);
  if (length < 0x100) return Buffer.from([0xd9, length]);
  if (length < 0x10000) return Buffer.from([0xda, length >> 8, length & 0xff]);
  const header = Buffer.alloc(5);
  header[0] = 0xdb;
  header.writeUInt32BE(length, 1);
  return header;
}

/** The header of an array; its elements follow. At most 65535 of them. */
export function packArrayHeader(length: number): Buffer {
  return length < 16 ? Buffer.from([0x90 | length]) : Buffer.from([0xdc, length >> 8, length & 0xff]);
}

/** A map from strings to strings. */
export function packMap(entries: readonly (readonly [string, string | Buffer])[]): Buffer {
  const { length } = entries;
  const header = length < 16 ? Buffer.from([0x80 | length]) : Buffer.from([0xde, length >> 8, length & 0xff]);
  return Buffer.concat([header, ...entries.flatMap(([key, value]) => [packString(key), packString(value)])]);
}

/** The forward protocol's `EventTime`: an extension of type 0 with seconds and nanoseconds. */
export function packEventTime(nanoseconds: bigint): Buffer {
  const packed = Buffer.alloc(10);
  packed[0] = 0xd7;
  packed.writeUInt32BE(Number((nanoseconds / 1_000_000_000n) & 0xffff_ffffn), 2);
  packed.writeUInt32BE(Number(nanoseconds % 1_000_000_000n), 6);
  return packed;
}
