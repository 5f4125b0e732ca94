import { WorkerPool } from "@boxship/base/worker-pool";
import type { PlacedMount, Placement } from "../confined/placed-mounts.ts";
import type { CopyRequest } from "./copy-selection.ts";
import type { DigestOptions, SelectionDigest } from "./digest-selection.ts";
import type { Owner } from "./directories.ts";
import type { MountStub } from "./mount-stubs.ts";
import type { Selection } from "./selection.ts";

/** What the worker is asked. */
export type FilesTask =
  | { readonly kind: "digest"; readonly selection: Selection; readonly options: DigestOptions }
  | { readonly kind: "copy"; readonly request: CopyRequest }
  | { readonly kind: "make-directory"; readonly root: string; readonly path: string; readonly owner: Owner | undefined }
  | { readonly kind: "find-stubs"; readonly root: string; readonly mountPoints: readonly string[] }
  | { readonly kind: "remove-stubs"; readonly root: string; readonly stubs: readonly MountStub[] }
  | {
      readonly kind: "drop-unchanged";
      readonly upper: string;
      readonly lowers: readonly string[];
      readonly paths: readonly string[];
    }
  | {
      readonly kind: "place";
      readonly root: string;
      readonly aside: string;
      readonly mounts: readonly PlacedMount[];
    }
  | {
      readonly kind: "take-back";
      readonly root: string;
      readonly aside: string;
      readonly placed: readonly Placement[];
    }
  | { readonly kind: "clamp-times"; readonly directory: string; readonly latest: number };

const pool = new WorkerPool({ name: "build-files", source: new URL("./files-worker.ts", import.meta.url) });

/** What of a selection counts for the cache, on a worker thread. @throws NotFound */
export function digestFiles(
  selection: Selection,
  options: DigestOptions,
  signal?: AbortSignal,
): Promise<SelectionDigest> {
  return pool.run({ kind: "digest", selection, options } satisfies FilesTask, { signal });
}

/** Copies a selection, on a worker thread. @returns how many things were copied */
export function copyFiles(request: CopyRequest, signal?: AbortSignal): Promise<number> {
  return pool.run({ kind: "copy", request } satisfies FilesTask, { signal });
}

/** Makes a directory of a tree with those above it. */
export function makeDirectory(root: string, path: string, owner?: Owner): Promise<void> {
  return pool.run({ kind: "make-directory", root, path, owner } satisfies FilesTask);
}

/** Notes which mount points are not there yet. */
export function findMountStubs(root: string, mountPoints: readonly string[]): Promise<readonly MountStub[]> {
  return pool.run({ kind: "find-stubs", root, mountPoints } satisfies FilesTask);
}

/** Takes mount points away that were made by mounting. */
export function removeMountStubs(root: string, stubs: readonly MountStub[]): Promise<void> {
  return pool.run({ kind: "remove-stubs", root, stubs } satisfies FilesTask);
}

/** Takes directories out of a writable layer that are as in the layers below. */
export function dropUnchangedDirectories(
  upper: string,
  lowers: readonly string[],
  paths: readonly string[],
): Promise<void> {
  return pool.run({ kind: "drop-unchanged", upper, lowers, paths } satisfies FilesTask);
}

/** Sets modification times that are later than `latest` (seconds since the epoch) to it. */
export function clampFileTimes(directory: string, latest: number): Promise<void> {
  return pool.run({ kind: "clamp-times", directory, latest } satisfies FilesTask);
}

/** Puts things where they cannot be mounted. @param aside an empty directory on the root's file system */
export function placeInRoot(
  root: string,
  aside: string,
  mounts: readonly PlacedMount[],
): Promise<readonly Placement[]> {
  return pool.run({ kind: "place", root, aside, mounts } satisfies FilesTask);
}

/** Takes away what was placed. */
export function takeFromRoot(root: string, aside: string, placed: readonly Placement[]): Promise<void> {
  return pool.run({ kind: "take-back", root, aside, placed } satisfies FilesTask);
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endFilesWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
