import { type Duplex, pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BoxshipError, InvalidArgument, ResourceExhausted, systemCode, Unsupported } from "@boxship/base/errors";
import { type ForeignCompression, openForeignDecoder } from "@boxship/kernel";

export type Compression = "gzip" | "zstd" | "none";

/** Formats that archives of files come in, and layers do not. */
const ARCHIVES: readonly (readonly [compression: ForeignCompression, magic: Buffer])[] = [
  ["xz", Buffer.from("fd377a585a00", "hex")],
  ["bzip2", Buffer.from("425a68", "hex")],
];

const FOREIGN: readonly (readonly [name: string, magic: Buffer])[] = [
  ["xz", Buffer.from("fd377a585a00", "hex")],
  ["bzip2", Buffer.from("425a68", "hex")],
  ["lz4", Buffer.from("04224d18", "hex")],
  ["compress", Buffer.from("1f9d", "hex")],
];

/** Bytes that {@link detectCompression} looks at. */
const MAGIC = 6;

/** How a blob is compressed, by its first bytes. Throws `Unsupported` for formats that no image specification names. */
export function detectCompression(head: Uint8Array): Compression {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length >= 2 && bytes.readUInt16BE(0) === 0x1f8b) return "gzip";
  if (bytes.length >= 4) {
    const magic = bytes.readUInt32LE(0);
    // A zstd stream may begin with skippable frames (RFC 8878, 3.1.2).
    if (magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5) return "zstd";
  }
  for (const [name, magic] of FOREIGN) {
    if (bytes.subarray(0, magic.length).equals(magic)) {
      throw new Unsupported(`${name} compression is not supported`, { remedy: "use gzip, zstd or no compression" });
    }
  }
  return "none";
}

export interface DecompressOptions {
  /** Most bytes of content; more is refused with `ResourceExhausted`. @default unlimited */
  readonly maxBytes?: number | undefined;
  /** Take bzip2 and xz, too. Decoding them keeps the thread busy. @default false */
  readonly foreign?: boolean;
}

// Large pieces: each costs a trip to the thread pool, where inflating overlaps with what the consumer does.
const PIECE = 1 << 20;

/**
 * The content of a stream that is compressed with gzip (concatenated members included), zstd (several and skippable
 * frames included) or not at all, told apart by its first bytes. Corrupt and truncated streams throw `InvalidArgument`.
 */
export async function* decompress(
  source: AsyncIterable<Buffer>,
  options: DecompressOptions = {},
): AsyncGenerator<Buffer> {
  const { maxBytes = Number.POSITIVE_INFINITY, foreign = false } = options;
  let size = 0;
  for await (const piece of await content(source, foreign)) {
    size += piece.length;
    if (size > maxBytes) throw new ResourceExhausted(`the content exceeds the limit of ${maxBytes} bytes`);
    yield piece;
  }
}

async function content(source: AsyncIterable<Buffer>, foreign: boolean): Promise<AsyncIterable<Buffer>> {
  const { head, whole } = await peek(source);
  const [other] = ARCHIVES.find(([, magic]) => foreign && head.subarray(0, magic.length).equals(magic)) ?? [];
  if (other !== undefined) return decodeForeign(other, whole);
  const compression = detectCompression(head);
  return compression === "none" ? whole : decode(compression, whole);
}

async function* decodeForeign(compression: ForeignCompression, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  using decoder = openForeignDecoder(compression);
  for await (const piece of source) yield* decoder.push(piece);
  yield* decoder.finish();
}

/** Looks at the head of a stream without losing it. */
export async function sniff(
  source: AsyncIterable<Buffer>,
): Promise<{ compression: Compression; whole: AsyncIterable<Buffer> }> {
  const { head, whole } = await peek(source);
  return { compression: detectCompression(head), whole };
}

async function peek(source: AsyncIterable<Buffer>): Promise<{ head: Buffer; whole: AsyncIterable<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < MAGIC) {
    const next = await iterator.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return { head, whole: resume(head, iterator) };
}

async function* resume(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

/** The content of a stream that is known to be compressed. Corrupt and truncated ones throw `InvalidArgument`. */
export async function* decode(compression: "gzip" | "zstd", source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder: Duplex =
    compression === "gzip" ? createGunzip({ chunkSize: PIECE }) : createZstdDecompress({ chunkSize: PIECE });
  // The decoder reports the failure of either side to the loop below.
  pipeline(Readable.from(source, { highWaterMark: 1 }), decoder, () => {});
  try {
    for await (const piece of decoder) yield piece as Buffer;
  } catch (error) {
    throw explain(compression, error);
  }
}

function explain(compression: Compression, error: unknown): unknown {
  if (error instanceof BoxshipError) return error;
  const code = systemCode(error) ?? "";
  if (code === "Z_BUF_ERROR" || code === "ZSTD_error_srcSize_wrong") {
    return new InvalidArgument(`the ${compression} stream is truncated`, { cause: error });
  }
  if (!code.startsWith("Z")) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new InvalidArgument(`the ${compression} stream is corrupt: ${reason}`, { cause: error });
}
