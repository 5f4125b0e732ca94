import { inflateRawSync } from "node:zlib";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";

/** A member of a zip archive, not yet inflated. */
export interface ZipMember {
  readonly name: string;
  /** Bytes when inflated, as the directory says. */
  readonly size: number;
  /** @throws InvalidArgument for damaged content, and for more than was announced */
  content(): Buffer;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
/** Kind of an extra field that has what does not fit into 32 bits. */
const EXTRA_64 = 1;
const TOO_LARGE = 0xffffffff;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;

const malformed = (why: string) => new InvalidArgument(`the zip archive is malformed: ${why}`);

/**
 * The members of a zip archive in memory (APPNOTE.TXT 6.3), by its central directory, in the 64-bit format as well: the
 * databases of large ecosystems have more members than the old one can count.
 *
 * @throws InvalidArgument if it is malformed
 */
export function* readZip(bytes: Buffer): Generator<ZipMember> {
  const end = findEnd(bytes);
  const directory = directory64(bytes, end) ?? {
    count: bytes.readUInt16LE(end + 10),
    start: bytes.readUInt32LE(end + 16),
  };
  let at = directory.start;
  for (let index = 0; index < directory.count; index++) {
    if (at + 46 > end || bytes.readUInt32LE(at) !== ENTRY) throw malformed("its directory ends early");
    const [names = 0, extra = 0, comment = 0] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    const next = at + 46 + names + extra + comment;
    if (next > end) throw malformed("its directory ends early");
    const more = bytes.subarray(at + 46 + names, at + 46 + names + extra);
    yield member(bytes, at, bytes.toString("utf8", at + 46, at + 46 + names), more);
    at = next;
  }
}

/** Where the directory is by the record of the 64-bit format, if there is one. */
function directory64(bytes: Buffer, end: number): { readonly count: number; readonly start: number } | undefined {
  if (end < 20 || bytes.readUInt32LE(end - 20) !== LOCATOR_64) return undefined;
  const at = offset64(bytes, end - 12);
  if (at + 56 > end || bytes.readUInt32LE(at) !== END_64) throw malformed("its directory is not where it should be");
  return { count: offset64(bytes, at + 32), start: offset64(bytes, at + 48) };
}

function offset64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed("it says more than there can be");
  return Number(value);
}

function findEnd(bytes: Buffer): number {
  for (let at = bytes.length - 22; at >= 0 && at >= bytes.length - 22 - 0xffff; at--) {
    if (bytes.readUInt32LE(at) === END) return at;
  }
  throw malformed("it has no directory");
}

/** Sizes and offset of a member: those that do not fit are in an extra field, in this order. */
function placeOf(bytes: Buffer, at: number, extra: Buffer) {
  const read = (offset: number) => bytes.readUInt32LE(at + offset);
  const values = { size: read(24), packed: read(20), local: read(42) };
  for (let place = 0; place + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(place + 2);
    if (extra.readUInt16LE(place) === EXTRA_64) {
      let field = place + 4;
      for (const name of ["size", "packed", "local"] as const) {
        if (values[name] !== TOO_LARGE) continue;
        if (field + 8 > Math.min(extra.length, place + 4 + length)) throw malformed("a 64-bit field is cut");
        values[name] = offset64(extra, field);
        field += 8;
      }
    }
    place += 4 + length;
  }
  return values;
}

function member(bytes: Buffer, at: number, name: string, extra: Buffer): ZipMember {
  const [method, flags] = [bytes.readUInt16LE(at + 10), bytes.readUInt16LE(at + 8)];
  const { size, packed, local } = placeOf(bytes, at, extra);
  return {
    name,
    size,
    content() {
      if ((flags & 1) !== 0) throw new Unsupported(`${name} in the zip archive is encrypted`);
      if (local + 30 > bytes.length || bytes.readUInt32LE(local) !== LOCAL)
        throw malformed(`${name} is not where it should be`);
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      if (start + packed > bytes.length) throw malformed(`${name} is cut`);
      const raw = bytes.subarray(start, start + packed);
      if (method === 0) return raw;
      if (method !== 8) throw new Unsupported(`${name} in the zip archive is compressed by method ${method}`);
      return inflate(raw, size, name);
    },
  };
}

function inflate(raw: Buffer, size: number, name: string): Buffer {
  try {
    const content = inflateRawSync(raw, { maxOutputLength: Math.max(1, size) });
    if (content.length === size) return content;
  } catch {
    // Longer than announced, or no deflate stream at all.
  }
  throw malformed(`${name} is damaged`);
}
