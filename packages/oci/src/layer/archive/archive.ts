import { Readable } from "node:stream";
import { MessageChannel } from "node:worker_threads";
import { WorkerPool } from "@boxship/base/worker-pool";
import type { IdMaps } from "@boxship/kernel";
import type { Ownership } from "../apply/metadata.ts";
import type { Change } from "../pack/changes.ts";
import type { PackOptions } from "../pack/pack-tree.ts";
import { blocksOf, receiveBytes, sendBytes } from "./byte-channel.ts";
import type { PathStat } from "./container-path.ts";

/** What the worker is asked. Those with a port send or receive an archive over it. */
export type ArchiveTask =
  | { readonly kind: "stat"; readonly root: string; readonly path: string }
  | { readonly kind: "changes"; readonly upper: string; readonly lowers: readonly string[] }
  | {
      readonly kind: "pack-path";
      readonly root: string;
      readonly path: string;
      readonly options: PackPathOptions;
      readonly port: MessagePort;
    }
  | {
      readonly kind: "pack-tree";
      readonly directory: string;
      readonly options: PackOptions;
      readonly port: MessagePort;
    }
  | {
      readonly kind: "extract";
      readonly root: string;
      readonly path: string;
      readonly options: ExtractOptions;
      readonly port: MessagePort;
    };

export interface PackPathOptions extends Pick<PackOptions, "ids"> {
  /**
   * Directories of the root that come without what lies in them when the root itself is asked for: those that hold no
   * files, such as `proc`. @default none
   */
  readonly hollow?: readonly string[];
}

export interface ExtractOptions {
  /** Refuse to put a file in the place of a directory and the reverse. @default false */
  readonly noOverwriteDirNonDir?: boolean;
  /** Owner of everything (`docker cp --archive` names the container's user). @default as the archive says */
  readonly owner?: Ownership;
  /** A user namespace whose ids owners are. @default ours */
  readonly ids?: IdMaps;
  /** The archive is of the whole tree: its entry for the root sets the root's own attributes. @default they stay */
  readonly wholeTree?: boolean;
}

const pool = new WorkerPool({
  name: "archive",
  source: new URL("./archive-worker.ts", import.meta.url),
  // Most of their time these wait for a client, which must keep nobody else waiting.
  tasksPerWorker: Number.POSITIVE_INFINITY,
});

/** What `docker cp` asks first. `root` is the container's root directory on the host; no link leads out of it. */
export function statArchivePath(root: string, path: string): Promise<PathStat> {
  return pool.run({ kind: "stat", root, path } satisfies ArchiveTask);
}

/**
 * A file or directory of a container as an archive, whose names start with the path's last component (`/` for the root,
 * `.` where the path ends in `/.`).
 *
 * @throws NotFound for a path that is not there
 */
export async function archivePath(
  root: string,
  path: string,
  options: PackPathOptions = {},
): Promise<{ readonly stat: PathStat; readonly stream: Readable }> {
  const stat = await statArchivePath(root, path);
  return { stat, stream: packed((port) => ({ kind: "pack-path", root, path, options, port })) };
}

/**
 * A directory's content as an archive: names without a leading `./`, sorted. Overlay's marks are left out, or with
 * `whiteouts` written as the `.wh.` entries of image layers.
 */
export function packDirectory(directory: string, options: PackOptions = {}): Readable {
  return packed((port) => ({ kind: "pack-tree", directory, options, port }));
}

/** A container's whole file system as an archive (`docker export`). */
export function exportTree(directory: string, options: PackOptions = {}): Readable {
  return packDirectory(directory, options);
}

/** A container's writable layer as the archive of an image layer. */
export function diffLayer(upper: string, options: Omit<PackOptions, "whiteouts"> = {}): Readable {
  return packDirectory(upper, { ...options, whiteouts: true });
}

/** What a container's writable layer changes in the layers below it (topmost first), sorted by path. */
export function findLayerChanges(upper: string, lowers: readonly string[]): Promise<readonly Change[]> {
  return pool.run({ kind: "changes", upper, lowers } satisfies ArchiveTask);
}

/**
 * Unpacks an archive, plain or compressed, into an existing directory of a container. Links are resolved as inside the
 * container; nothing is written outside its root.
 *
 * @param archive what a `Readable` hands out is emptied once it is taken; when a failure ends the call early the stream is
 *   left as it is, paused
 * @throws NotFound, or InvalidArgument when the path is no directory or the archive is corrupt or climbs out of the path
 */
export async function extractArchive(
  root: string,
  path: string,
  archive: AsyncIterable<Uint8Array>,
  options: ExtractOptions = {},
  signal?: AbortSignal,
): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const task: ArchiveTask = { kind: "extract", root, path, options, port: port2 };
  const extracted = pool.run<void>(task, { signal, transfer: [port2] });
  const onAbort = () => port1.close();
  signal?.addEventListener("abort", onAbort, { once: true });
  // A failure of the stream reaches the worker, which then fails with it.
  sendBytes(port1, archive instanceof Readable ? blocksOf(archive) : archive).catch(() => {});
  try {
    await extracted;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    port1.close();
  }
}

function packed(makeTask: (port: MessagePort) => ArchiveTask): Readable {
  async function* run(): AsyncGenerator<Buffer> {
    const { port1, port2 } = new MessageChannel();
    const running = pool.run(makeTask(port2), { transfer: [port2] });
    yield* receiveBytes(port1, running);
    await running;
  }
  return Readable.from(run(), { objectMode: false });
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endArchiveWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
