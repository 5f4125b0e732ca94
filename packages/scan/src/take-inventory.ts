import { WorkerPool } from "@boxship/base/worker-pool";
import type { Inventory } from "./package.ts";

export interface LayerFile {
  readonly digest: string;
  /** File of the blob. */
  readonly path: string;
  /** Otherwise its digest is checked while it is read. @default true */
  readonly verified?: boolean;
}

export interface InventoryTask {
  /** The bottom first. */
  readonly layers: readonly LayerFile[];
}

const pool = new WorkerPool({
  name: "scan-inventory",
  source: new URL("./take-inventory-worker.ts", import.meta.url),
});

/**
 * What is in an image: packages of distributions and of languages, as files in its layers tell. Every layer is read once,
 * in a worker thread; what an upper layer removed is not there.
 *
 * @throws InvalidArgument for corrupt layers; Unsupported for rpm's older databases
 */
export function takeInventory(task: InventoryTask, signal?: AbortSignal): Promise<Inventory> {
  return pool.run<Inventory>(task, { signal });
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endScanWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
