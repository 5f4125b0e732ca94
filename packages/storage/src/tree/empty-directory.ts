import { opendir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@boxship/base/errors";
import { WorkerPool } from "@boxship/base/worker-pool";

/** A journal lets each thread wait: on a busy ext4 two remove four to six times as many files as one. */
const WORKERS = 2;
/** So many names are removed sooner than a thread is started. */
const FEW_NAMES = 100;
/** A tree that takes longer is worth a second thread. */
const PATIENCE_MS = 500;

export interface RemovalTask {
  readonly directory: string;
  readonly from: number;
}

// Of its own, so that large trees hold up nobody's mount.
const pool = new WorkerPool({
  name: "removal",
  source: new URL("./removal-worker.ts", import.meta.url),
  workers: WORKERS,
});

export interface EmptyOptions {
  /** Stops in the middle; the promise rejects with its reason. @default never */
  readonly signal?: AbortSignal | undefined;
}

/** Removes everything in a directory, off the event loop. */
export async function emptyDirectoryAway(directory: string, { signal }: EmptyOptions = {}): Promise<void> {
  const run = (from: number) => pool.run<void>({ directory, from } satisfies RemovalTask, { signal });
  const more: Promise<void>[] = [];
  const timer = setTimeout(() => {
    for (let index = 1; index < WORKERS; index++) more.push(run(index / WORKERS));
  }, PATIENCE_MS);
  try {
    await run(0);
  } finally {
    clearTimeout(timer);
    await Promise.allSettled(more);
  }
}

/**
 * Removes a directory with all that is in it, however much that is, without stopping the event loop. Missing is success.
 *
 * @param path a file is removed, too
 */
export async function removeTreeAway(path: string): Promise<void> {
  if (!(await hasFewNames(path))) {
    await emptyDirectoryAway(path);
    await rmdir(path);
    return;
  }
  await rm(path, { recursive: true, force: true });
}

async function hasFewNames(path: string): Promise<boolean> {
  const directories = [path];
  let names = 0;
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    try {
      for await (const entry of await opendir(directory)) {
        if (++names > FEW_NAMES) return false;
        if (entry.isDirectory()) directories.push(join(directory, entry.name));
      }
    } catch (error) {
      // A file, or gone meanwhile; or a name that is no UTF-8, which the thread takes as bytes.
      if (directory !== path) return false;
      if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return true;
      throw error;
    }
  }
  return true;
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endRemovalWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
