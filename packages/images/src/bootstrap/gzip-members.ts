import { promisify } from "node:util";
import { inflateRaw, type ZlibOptions } from "node:zlib";
import { InvalidArgument, ResourceExhausted } from "@boxship/base";

const MEMBER_LIMIT = 1 << 30;
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const TRAILER = 8;

/** One of the gzip streams that follow each other in a file (RFC 1952). */
export interface GzipMember {
  readonly start: number;
  /** Behind its last byte. */
  readonly end: number;
  readonly content: Buffer;
}

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

const inflate = promisify(inflateRaw) as unknown as (bytes: Buffer, options: ZlibOptions) => Promise<Inflated>;

/** Reads the gzip stream that begins at an offset. @throws InvalidArgument if it is none, or cut off */
export async function readGzipMember(file: Buffer, start: number, name: string): Promise<GzipMember> {
  const body = start + headerLength(file.subarray(start), name);
  let inflated: Inflated;
  try {
    inflated = await inflate(file.subarray(body), { info: true, maxOutputLength: MEMBER_LIMIT });
  } catch (error) {
    if (error instanceof RangeError) throw new ResourceExhausted(`${name} is too large`, { cause: error });
    throw new InvalidArgument(`${name} is corrupt or cut off`, { cause: error });
  }
  const end = body + inflated.engine.bytesWritten + TRAILER;
  if (end > file.length) throw new InvalidArgument(`${name} is cut off`);
  if (file.readUInt32LE(end - 4) !== inflated.buffer.length % 2 ** 32) throw new InvalidArgument(`${name} is corrupt`);
  return { start, end, content: inflated.buffer };
}

function headerLength(bytes: Buffer, name: string): number {
  if (bytes.length < 10 || bytes.readUInt16BE(0) !== 0x1f8b || bytes[2] !== 8) {
    throw new InvalidArgument(`${name} is no gzip stream`);
  }
  const flags = bytes[3] ?? 0;
  let at = 10;
  if ((flags & FEXTRA) !== 0) at += 2 + (at + 2 <= bytes.length ? bytes.readUInt16LE(at) : bytes.length);
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, at);
    at = zero === -1 ? bytes.length : zero + 1;
  }
  if ((flags & FHCRC) !== 0) at += 2;
  return Math.min(at, bytes.length);
}
