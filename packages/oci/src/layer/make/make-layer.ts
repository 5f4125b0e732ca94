import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { MessageChannel } from "node:worker_threads";
import { InvalidArgument } from "@boxship/base";
import { WorkerPool } from "@boxship/base/worker-pool";
import type { ContentStore, Lease } from "../../content-store/contract.ts";
import type { Descriptor } from "../../descriptor.ts";
import type { Digest } from "../../digest.ts";
import { compressedLayerType, layerCompression, MediaType } from "../../media-types.ts";
import { sendBytes } from "../archive/byte-channel.ts";
import type { BuiltLayer } from "../build-image.ts";
import type { Compression } from "../compression.ts";
import type { PackOptions } from "../pack/pack-tree.ts";

/** What a layer is made of. */
export type LayerSource =
  /** An archive, plain or compressed with gzip or zstd; kept as it is. */
  | { readonly kind: "archive"; readonly archive: AsyncIterable<Uint8Array> }
  /** A directory, e.g. a container's writable layer; becomes a plain archive. */
  | { readonly kind: "directory"; readonly path: string; readonly options: PackOptions };

export interface MakeLayerRequest {
  readonly source: LayerSource;
  readonly store: ContentStore;
  /** Protects the new blob until an image that needs it is recorded. */
  readonly lease: Lease;
  /** Called now and then with the bytes of uncompressed archive so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CompressLayerRequest extends Pick<MakeLayerRequest, "lease" | "onProgress" | "signal"> {
  /** Has the layer, and takes the compressed one. */
  readonly store: Pick<ContentStore, "path" | "ingest" | "stat">;
  /** @default "gzip" */
  readonly compression?: Compression | undefined;
  /** 0 to 9 for gzip, 1 to 22 for zstd. @default a quick one */
  readonly level?: number | undefined;
  /** Change layers that are compressed in another way, too; else they stay as they are. @default false */
  readonly force?: boolean | undefined;
}

/** What the worker is asked. */
export type MakeLayerTask =
  /** Writes a blob to `path`. */
  | { readonly kind: "archive"; readonly port: MessagePort; readonly path: string }
  | { readonly kind: "directory"; readonly directory: string; readonly options: PackOptions; readonly path: string }
  /** Writes the archive in a file, compressed or not, in another form. */
  | {
      readonly kind: "compress";
      readonly source: string;
      readonly path: string;
      readonly compression: Compression;
      readonly level: number | undefined;
    }
  /** Only reads a blob to tell what is in it. */
  | { readonly kind: "examine"; readonly source: string };

export interface MadeLayer {
  readonly compression: Compression;
  /** Of the blob. */
  readonly digest: Digest;
  readonly written: number;
  /** Of the archive in it. */
  readonly diffId: Digest;
  /** Bytes of file content. */
  readonly size: number;
  readonly entries: number;
}

const MEDIA_TYPES: Readonly<Record<Compression, string>> = {
  gzip: MediaType.OciLayerGzip,
  zstd: MediaType.OciLayerZstd,
  none: MediaType.OciLayer,
};

/** For what is there already: a second task beside one that compresses would only take memory. */
const working = new WorkerPool({
  name: "make-layer",
  source: new URL("./make-layer-worker.ts", import.meta.url),
});

/** For archives that clients send, and may never send: none keeps anybody else waiting. */
const receiving = new WorkerPool({
  name: "make-layer",
  source: new URL("./make-layer-worker.ts", import.meta.url),
  workers: 1,
  tasksPerWorker: Number.POSITIVE_INFINITY,
});

/**
 * Makes a layer blob in the content store, on a worker thread. The same content always gives the same blob. When it
 * rejects nothing is left and nothing runs any more.
 *
 * Plain archives stay plain: compressing takes two or three times as long as all the rest, and only a layer that is
 * pushed needs it ({@link compressLayer}).
 *
 * @throws InvalidArgument for a corrupt, truncated or empty archive; Unsupported for compressions other than gzip and
 *   zstd; ResourceExhausted for a full disk
 */
export async function makeLayer(request: MakeLayerRequest): Promise<BuiltLayer> {
  const { source, signal } = request;
  if (source.kind === "directory") {
    const { path: directory, options } = source;
    return intoStore(request, (path) => run({ kind: "directory", directory, options, path }, request));
  }
  return intoStore(request, async (path) => {
    const { port1, port2 } = new MessageChannel();
    const making = run({ kind: "archive", port: port2, path }, request, [port2]);
    const onAbort = () => port1.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    const { archive } = source;
    // A request that is refused half-way must still be answered, so its stream is left alone; a failure of the stream
    // reaches the worker, which then fails with it.
    const pieces = archive instanceof Readable ? archive.iterator({ destroyOnReturn: false }) : archive;
    sendBytes(port1, pieces).catch(() => {});
    try {
      return await making;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      port1.close();
    }
  });
}

/** The same layer in another compression; as it is when it is compressed already, unless `force` asks for this one. */
export async function compressLayer(layer: Descriptor, request: CompressLayerRequest): Promise<Descriptor> {
  const { compression = "gzip", level, force = false } = request;
  const now = layerCompression(layer.mediaType);
  if (now === compression || (now !== "none" && !force)) return layer;
  const source = await request.store.path(layer.digest);
  const { descriptor } = await intoStore(request, (path) =>
    run({ kind: "compress", source, path, compression, level }, request),
  );
  const mediaType = compressedLayerType(layer.mediaType, compression);
  return { ...layer, mediaType, digest: descriptor.digest, size: descriptor.size };
}

/** Digest of the archive in a layer's blob. */
export async function diffIdOf(
  store: Pick<ContentStore, "path">,
  layer: Descriptor,
  signal?: AbortSignal,
): Promise<Digest> {
  if (layerCompression(layer.mediaType) === "none") return layer.digest;
  const { diffId } = await run({ kind: "examine", source: await store.path(layer.digest) }, { signal });
  return diffId;
}

function run(
  task: MakeLayerTask,
  { onProgress, signal }: Pick<MakeLayerRequest, "onProgress" | "signal">,
  transfer: readonly MessagePort[] = [],
): Promise<MadeLayer> {
  return (task.kind === "archive" ? receiving : working).run<MadeLayer>(task, {
    signal,
    transfer: transfer as never,
    onProgress: onProgress && ((bytes) => onProgress(bytes as number)),
  });
}

async function intoStore(
  { store, lease }: Pick<CompressLayerRequest, "store" | "lease">,
  make: (path: string) => Promise<MadeLayer>,
): Promise<BuiltLayer> {
  const ingest = await store.ingest({ key: `layer ${randomBytes(12).toString("hex")}` });
  try {
    const { compression, digest, written, ...layer } = await make(ingest.lend().path);
    ingest.adopt(written, digest);
    lease.add(digest);
    if ((await store.stat(digest)) === undefined) await ingest.commit();
    else await ingest.abort();
    return { descriptor: { mediaType: MEDIA_TYPES[compression], digest, size: written }, ...layer };
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

/** @throws InvalidArgument if what a layer holds is not what its image says */
export function checkDiffId(layer: Descriptor, actual: Digest, expected: Digest): void {
  if (actual === expected) return;
  throw new InvalidArgument(
    `layer ${layer.digest} has the diff id ${actual}, the image's configuration says ${expected}`,
    { subject: { kind: "blob", name: layer.digest } },
  );
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endMakeLayerWorkers(): Promise<void> {
  await Promise.all([working[Symbol.asyncDispose](), receiving[Symbol.asyncDispose]()]);
}
