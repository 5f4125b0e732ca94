import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress, type ZstdOptions } from "node:zlib";

export interface ParallelCompression {
  readonly compression: "gzip" | "zstd";
  /** @default 4 for gzip, nearly as small as its own default and twice as fast; 3 for zstd */
  readonly level?: number | undefined;
}

const LEVELS = { gzip: 4, zstd: 3 } as const;
const BLOCK_BYTES = 1 << 20;
/** What one block of gzip comes in, whatever was in it. */
const MEMBER_BYTES = BLOCK_BYTES + (64 << 10);
/** What the result of zstd comes in. */
const CHUNK_BYTES = 256 << 10;
/** As many as the thread pool has threads. */
const CONCURRENT = 4;

/**
 * Compresses a stream: gzip in pieces side by side, each a member of its own, together one file (RFC 1952, section 2.2);
 * zstd, which is as fast in one thread as four of gzip, as one frame: many frames at once took 130 MB for their tables. The
 * same content always gives the same bytes. A piece, in and out, is done with when the next is asked for: left to V8, gigabytes
 * of pieces are 64 MB of garbage before it looks for any.
 */
export async function* compressParallel(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { compression, level = LEVELS[compression] }: ParallelCompression,
): AsyncGenerator<Buffer> {
  if (compression === "zstd") {
    yield* zstdFrame(source, level);
    return;
  }
  const running: Promise<readonly Buffer[]>[] = [];
  const free: Buffer[] = [];
  const start = (block: Buffer) => {
    const member = gzipMember(block, level);
    // Its failure is heard of when its turn comes.
    member.then(
      () => void free.push(block),
      () => {},
    );
    running.push(member);
  };
  let empty = true;
  for await (const block of blocks(source, BLOCK_BYTES, free)) {
    empty = false;
    start(block);
    if (running.length >= CONCURRENT) yield* emptied(await (running.shift() as Promise<readonly Buffer[]>));
  }
  if (empty) start(Buffer.alloc(0));
  for (const member of running) yield* emptied(await member);
}

/** In pieces as they come: joined by `gzip()`, noise would be two more megabytes of garbage for each. */
async function gzipMember(block: Buffer, level: number): Promise<readonly Buffer[]> {
  const stream = createGzip({ level, chunkSize: MEMBER_BYTES });
  stream.end(block);
  return await stream.toArray();
}

function* emptied(member: readonly Buffer[]): Generator<Buffer> {
  yield* member;
  for (const { buffer } of member) if (buffer.byteLength === MEMBER_BYTES) release(buffer);
}

function release(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

async function* zstdFrame(source: AsyncIterable<Buffer> | Iterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  // It is full with any piece, so that the next one is asked for when that is compressed.
  const stream = createZstdCompress({ params, chunkSize: CHUNK_BYTES, writableHighWaterMark: 1 } as ZstdOptions);
  const feeding = pipeline(source, stream);
  // A source that fails ends the stream, too, and is heard of there.
  feeding.catch(() => {});
  try {
    let filled: ArrayBufferLike | undefined;
    for await (const piece of stream) {
      const { buffer } = piece as Buffer;
      if (filled !== undefined && filled !== buffer && filled.byteLength === CHUNK_BYTES) release(filled);
      filled = buffer;
      yield piece as Buffer;
    }
    await feeding;
  } finally {
    stream.destroy();
  }
}

/** Pieces of exactly one size, the last maybe shorter; each is the receiver's own, until it gives it back for another. */
async function* blocks(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  size: number,
  free: Buffer[],
): AsyncGenerator<Buffer> {
  const next = () => free.pop() ?? Buffer.allocUnsafeSlow(size);
  let block = next();
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.copy(block, filled, at);
      filled += taken;
      at += taken;
      if (filled < size) continue;
      yield block;
      block = next();
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
