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
const END_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;

const malformed = (why: string) => new InvalidArgument(`the zip archive is malformed: ${why}`);

/**
 * The members of a zip archive in memory (APPNOTE.TXT 6.3), by its central directory.
 *
 * @throws InvalidArgument if it is malformed; Unsupported for archives of more than 4 GiB
 */
export function* readZip(bytes: Buffer): Generator<ZipMember> {
  const end = findEnd(bytes);
  if (bytes.length >= 20 && end >= 20 && bytes.readUInt32LE(end - 20) === END_64) {
    throw new Unsupported("zip archives in the 64-bit format are not supported", {
      remedy: "unpack it into a directory",
    });
  }
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  for (let index = 0; index < count; index++) {
    if (at + 46 > end || bytes.readUInt32LE(at) !== ENTRY) throw malformed("its directory ends early");
    const [names, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    const next = at + 46 + (names ?? 0) + (extra ?? 0) + (comment ?? 0);
    if (next > end) throw malformed("its directory ends early");
    yield member(bytes, at, bytes.toString("utf8", at + 46, at + 46 + (names ?? 0)));
    at = next;
  }
}

function findEnd(bytes: Buffer): number {
  for (let at = bytes.length - 22; at >= 0 && at >= bytes.length - 22 - 0xffff; at--) {
    if (bytes.readUInt32LE(at) === END) return at;
  }
  throw malformed("it has no directory");
}

function member(bytes: Buffer, at: number, name: string): ZipMember {
  const [method, flags] = [bytes.readUInt16LE(at + 10), bytes.readUInt16LE(at + 8)];
  const [packed, size, local] = [20, 24, 42].map((offset) => bytes.readUInt32LE(at + offset)) as [
    number,
    number,
    number,
  ];
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
