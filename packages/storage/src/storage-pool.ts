import { WorkerPool } from "@boxship/base/worker-pool";
import type { MountRequest } from "@boxship/kernel";
import type { TreeUsage } from "./contract.ts";
import type { ContainerMount } from "./mount/container-mount.ts";
import type { CopyTreeRequest } from "./tree/copy-tree.ts";
import { endRemovalWorkers } from "./tree/empty-directory.ts";
import type { DifferenceRequest } from "./tree/write-difference.ts";

export type StorageTask =
  | { readonly kind: "usage" | "sync"; readonly directory: string }
  | { readonly kind: "copy"; readonly request: CopyTreeRequest }
  | { readonly kind: "assemble"; readonly lowers: readonly string[]; readonly target: string }
  | { readonly kind: "remember"; readonly tree: string; readonly file: string }
  | { readonly kind: "difference"; readonly request: DifferenceRequest }
  | { readonly kind: "mount"; readonly mount: Required<MountRequest> }
  | { readonly kind: "mount-image"; readonly image: string; readonly target: string }
  | { readonly kind: "attach"; readonly mount: ContainerMount }
  | { readonly kind: "detach"; readonly pid: number; readonly destination: string };

// Two, so that a sync that waits for the disk does not hold up everything else.
const pool = new WorkerPool({
  name: "storage",
  source: new URL("./storage-worker.ts", import.meta.url),
  workers: 2,
});

/** Disk space of a tree, counted off the event loop. */
export function measureTree(directory: string): Promise<TreeUsage> {
  return pool.run({ kind: "usage", directory } satisfies StorageTask);
}

/** Makes everything that was written to the file system of a directory durable. */
export function syncFilesystem(directory: string): Promise<void> {
  return pool.run({ kind: "sync", directory } satisfies StorageTask);
}

/** Copies a tree off the event loop. @returns false when the source is absent or no directory */
export function copyTreeAway(request: CopyTreeRequest): Promise<boolean> {
  return pool.run({ kind: "copy", request } satisfies StorageTask);
}

/** Copies what layers show, topmost first, into an empty directory, off the event loop. */
export function assembleTreeAway(lowers: readonly string[], target: string): Promise<void> {
  return pool.run({ kind: "assemble", lowers, target } satisfies StorageTask);
}

/** Writes down what is in a tree, for {@link writeDifferenceAway}. */
export function rememberTreeAway(tree: string, file: string): Promise<void> {
  return pool.run({ kind: "remember", tree, file } satisfies StorageTask);
}

/** Makes a layer of what a tree has other than the layers below, off the event loop. */
export function writeDifferenceAway(request: DifferenceRequest): Promise<void> {
  return pool.run({ kind: "difference", request } satisfies StorageTask);
}

/** Mounts off the event loop: a network file system may take its time. */
export function mountAway(mount: Required<MountRequest>): Promise<void> {
  return pool.run({ kind: "mount", mount } satisfies StorageTask);
}

/** Mounts something into a container that runs, off the event loop. */
export function mountIntoContainer(mount: ContainerMount): Promise<void> {
  return pool.run({ kind: "attach", mount } satisfies StorageTask);
}

/** Takes the mount at a place away from a container that runs; without effect when nothing is mounted there. */
export function unmountFromContainer(pid: number, destination: string): Promise<void> {
  return pool.run({ kind: "detach", pid, destination } satisfies StorageTask);
}

/** Mounts the ext4 file system in a file. */
export function mountImageAway(mount: { readonly image: string; readonly target: string }): Promise<void> {
  return pool.run({ kind: "mount-image", ...mount } satisfies StorageTask);
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endStorageWorkers(): Promise<void> {
  await Promise.all([pool[Symbol.asyncDispose](), endRemovalWorkers()]);
}
