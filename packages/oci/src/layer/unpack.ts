import { WorkerPool } from "@boxship/base/worker-pool";
import { overlayXattrSpace } from "@boxship/kernel";
import type { BlobProgress } from "./blob-source.ts";

export interface UnpackRequest {
  /** The blob in the content store, or while it is written. */
  readonly blobPath: string;
  /** For messages only: how the blob is compressed is told by its bytes. */
  readonly mediaType: string;
  /** `sha256:…` (or sha384, sha512) of the uncompressed archive; undefined when none is known, then it is only computed. */
  readonly diffId: string | undefined;
  /** An empty directory; becomes one layer of an overlay. */
  readonly targetDirectory: string;
  /** When the blob is still being written: how far it is. */
  readonly follow?: BlobProgress;
  /**
   * Directories of the layers below, topmost first, asked for only when the archive leaves out a directory that its
   * files lie in: that directory then takes owner, mode and attributes from below instead of hiding them. Resolves when
   * those layers are complete.
   */
  readonly lowerDirectories?: () => Promise<readonly string[]>;
  /** Attribute namespace of overlay marks. @default what overlays are mounted with here */
  readonly overlayXattrs?: "trusted" | "user";
  /** Most bytes of uncompressed archive. @default unlimited */
  readonly maxBytes?: number;
  /** Called now and then with the bytes of uncompressed archive so far. */
  readonly onProgress?: (progress: UnpackProgress) => void;
  readonly signal?: AbortSignal;
}

export interface UnpackProgress {
  readonly bytes: number;
  readonly entries: number;
}

export interface UnpackResult {
  /** Bytes of file content. */
  readonly size: number;
  readonly entries: number;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  /** Bytes of the uncompressed archive. */
  readonly archiveSize: number;
  /** What was left out and why, e.g. attributes that the file system does not support. At most a few. */
  readonly warnings: readonly string[];
}

/** What the worker is asked. */
export type UnpackTask =
  | {
      readonly kind: "unpack";
      readonly blobPath: string;
      readonly diffId: string | undefined;
      readonly targetDirectory: string;
      readonly follow: SharedArrayBuffer | undefined;
      readonly overlayXattrs: "trusted" | "user";
      readonly maxBytes: number | undefined;
    }
  | {
      readonly kind: "adopt";
      readonly targetDirectory: string;
      readonly paths: readonly string[];
      readonly lowerDirectories: readonly string[];
    };

export interface UnpackTaskResult extends UnpackResult {
  readonly implied: readonly string[];
}

const pool = new WorkerPool({
  name: "unpack",
  source: new URL("./unpack-worker.ts", import.meta.url),
  // A layer that waits for its download leaves the thread to another.
  tasksPerWorker: 4,
});

/**
 * Unpacks a layer blob into a directory of its own in the form that overlayfs mounts: decompresses, verifies the diff
 * id and writes in one pass, on a worker thread; layers may be unpacked side by side.
 *
 * Nothing is durable yet when it resolves. When it rejects the directory holds a part of the layer and must be thrown
 * away, and nobody writes to it any more. Errors: `InvalidArgument` for a corrupt, truncated or escaping archive and for
 * a diff id that does not match, `ResourceExhausted` for a full disk, naming the filesystem.
 */
export async function unpackLayer(request: UnpackRequest): Promise<UnpackResult> {
  const { onProgress, signal, lowerDirectories, targetDirectory } = request;
  const task: UnpackTask = {
    kind: "unpack",
    blobPath: request.blobPath,
    diffId: request.diffId,
    targetDirectory,
    follow: request.follow?.buffer,
    overlayXattrs: request.overlayXattrs ?? overlayXattrSpace(),
    maxBytes: request.maxBytes,
  };
  const { implied, ...result } = await pool.run<UnpackTaskResult>(task, {
    signal,
    onProgress: onProgress === undefined ? undefined : (message) => onProgress(message as UnpackProgress),
  });
  if (implied.length > 0 && lowerDirectories !== undefined) {
    const adopt: UnpackTask = {
      kind: "adopt",
      targetDirectory,
      paths: implied,
      lowerDirectories: await lowerDirectories(),
    };
    await pool.run(adopt, { signal });
  }
  return result;
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endUnpackWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
