import { WorkerPool } from "@boxship/base/worker-pool";

/** A journal lets each thread wait: on a busy ext4 two remove four to six times as many files as one. */
const WORKERS = 2;
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

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endRemovalWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
