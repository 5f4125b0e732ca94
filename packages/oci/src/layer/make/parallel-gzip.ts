import { promisify } from "node:util";
import { gzip } from "node:zlib";

const compress = promisify(gzip);

// Nearly as small as the default and twice as fast.
const LEVEL = 4;
const BLOCK = 1 << 20;
/** As many as the thread pool has threads. */
const CONCURRENT = 4;

/**
 * Compresses a stream in pieces side by side, each a gzip member of its own: together they are one gzip file (RFC 1952,
 * section 2.2), which every reader takes. The same content always gives the same bytes.
 */
export async function* parallelGzip(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  const running: Promise<Buffer>[] = [];
  const start = (block: Buffer) => {
    const member = compress(block, { level: LEVEL });
    // Its failure is heard of when its turn comes.
    member.catch(() => {});
    running.push(member);
  };
  let empty = true;
  for await (const block of blocks(source)) {
    empty = false;
    start(block);
    if (running.length >= CONCURRENT) yield (await running.shift()) as Buffer;
  }
  if (empty) start(Buffer.alloc(0));
  for (const member of running) yield await member;
}

/** Pieces of exactly one size, the last maybe shorter; each is the receiver's own. */
async function* blocks(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafeSlow(BLOCK);
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.copy(block, filled, at);
      filled += taken;
      at += taken;
      if (filled < BLOCK) continue;
      yield block;
      block = Buffer.allocUnsafeSlow(BLOCK);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
