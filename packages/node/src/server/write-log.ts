import { once } from "node:events";
import type { Writable } from "node:stream";
import type { LogBlock } from "@boxship/runtime";

export interface WriteLogOptions {
  /** Each line begins with its time. */
  readonly timestamps: boolean;
  /** Bytes after which it ends. */
  readonly most: number;
}

/** Writes the entries of a log as the process wrote them, and ends. */
export async function writeLog(
  blocks: AsyncIterable<LogBlock>,
  target: Writable,
  { timestamps, most }: WriteLogOptions,
): Promise<void> {
  let left = most;
  let begun = false;
  for await (const block of blocks) {
    const parts: Buffer[] = [];
    for (let index = 0; index < block.length; index++) {
      if (timestamps && !begun) parts.push(Buffer.from(`${block.time(index)} `));
      parts.push(block.bytes.subarray(block.dataStart(index), block.dataEnd(index)));
      begun = !block.isComplete(index);
    }
    const bytes = Buffer.concat(parts).subarray(0, left);
    left -= bytes.length;
    if (target.destroyed) return;
    if (!target.write(bytes)) await Promise.race([once(target, "drain"), once(target, "close")]);
    if (left <= 0) break;
  }
  target.end();
}
