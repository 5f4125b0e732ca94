import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { WorkerPool } from "@boxship/base/worker-pool";
import type { DigestAlgorithm } from "@boxship/oci";

export interface HashTask {
  readonly path: string;
  readonly algorithm: DigestAlgorithm;
}

export interface HashedFile {
  /** Bytes that were read. */
  readonly size: number;
  readonly hex: string;
}

/** Smaller files are done before a thread has started. */
const WORTH_A_THREAD = 8 * 1024 * 1024;

const pool = new WorkerPool({
  name: "images-hash",
  source: new URL("./hash-file-worker.ts", import.meta.url),
});

/** Hashes a file; large ones in worker threads, several at a time. */
export async function hashFile(task: HashTask): Promise<HashedFile> {
  const { size } = await stat(task.path);
  return size < WORTH_A_THREAD ? hashHere(task) : pool.run<HashedFile>(task);
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endHashWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}

async function hashHere({ path, algorithm }: HashTask): Promise<HashedFile> {
  const hash: Hash = createHash(algorithm);
  let size = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(piece as Buffer);
    size += (piece as Buffer).length;
  }
  return { size, hex: hash.digest("hex") };
}
