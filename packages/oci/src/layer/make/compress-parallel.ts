import { promisify } from "node:util";
import { constants, gzip, zstdCompress } from "node:zlib";

const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);

export interface ParallelCompression {
  readonly compression: "gzip" | "zstd";
  /** @default 4 for gzip, nearly as small as its own default and twice as fast; 3 for zstd */
  readonly level?: number | undefined;
}

const LEVELS = { gzip: 4, zstd: 3 } as const;
/** zstd looks back farther, so that larger pieces give smaller files. */
const BLOCKS = { gzip: 1 << 20, zstd: 4 << 20 } as const;
/** As many as the thread pool has threads. */
const CONCURRENT = 4;

/**
 * Compresses a stream in pieces side by side, each a gzip member or a zstd frame of its own: together they are one file
 * (RFC 1952, section 2.2; RFC 8878, section 3), which every reader takes. The same content always gives the same bytes.
 */
export async function* compressParallel(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { compression, level = LEVELS[compression] }: ParallelCompression,
): AsyncGenerator<Buffer> {
  const running: Promise<Buffer>[] = [];
  const start = (block: Buffer) => {
    const member =
      compression === "gzip"
        ? compressGzip(block, { level })
        : compressZstd(block, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    // Its failure is heard of when its turn comes.
    member.catch(() => {});
    running.push(member);
  };
  let empty = true;
  for await (const block of blocks(source, BLOCKS[compression])) {
    empty = false;
    start(block);
    if (running.length >= CONCURRENT) yield (await running.shift()) as Buffer;
  }
  if (empty) start(Buffer.alloc(0));
  for (const member of running) yield await member;
}

/** Pieces of exactly one size, the last maybe shorter; each is the receiver's own. */
async function* blocks(source: AsyncIterable<Buffer> | Iterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.copy(block, filled, at);
      filled += taken;
      at += taken;
      if (filled < size) continue;
      yield block;
      block = Buffer.allocUnsafeSlow(size);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
