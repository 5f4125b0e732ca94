import { createHash } from "node:crypto";
import { pipeline, Readable } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import { MediaType } from "../media-types.ts";
import type { Compression } from "./compression.ts";
import { type RewriteCounts, type RewriteOptions, rewriteTar } from "./rewrite-tar.ts";

export interface BuildLayerRequest {
  /** An uncompressed archive of the layer's files. */
  readonly archive: AsyncIterable<Uint8Array>;
  readonly store: ContentStore;
  /** Protects the new blob until an image that needs it is recorded. */
  readonly lease: Lease;
  /** @default "gzip" */
  readonly compression?: Compression;
  /** How the archive is changed on the way. @default only its form */
  readonly rewrite?: RewriteOptions;
  /** Called with the bytes of archive so far, for each piece. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface BuiltLayer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed archive. */
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

// Nearly as small as the default and twice as fast.
const GZIP_LEVEL = 4;
const PIECE = 256 * 1024;

let builds = 0;

/** Puts an archive into the content store as a layer blob. The same archive always gives the same blob. */
export async function buildLayer(request: BuildLayerRequest): Promise<BuiltLayer> {
  const { archive, store, lease, compression = "gzip", rewrite = {}, onProgress, signal } = request;
  const hash = createHash("sha256");
  const counts: RewriteCounts = { entries: 0, size: 0 };
  let bytes = 0;
  async function* content(): AsyncGenerator<Buffer> {
    for await (const piece of rewriteTar(archive, rewrite, counts)) {
      signal?.throwIfAborted();
      hash.update(piece);
      bytes += piece.length;
      onProgress?.(bytes);
      yield piece;
    }
  }
  const ingest = await store.ingest({ key: `layer-${process.pid}-${Date.now()}-${builds++}` });
  try {
    for await (const piece of compress(compression, content())) await ingest.write(piece);
    const { digest, size } = await ingest.commit();
    lease.add(digest);
    const descriptor: Descriptor = { mediaType: MEDIA_TYPES[compression], digest, size };
    return { descriptor, diffId: `sha256:${hash.digest("hex")}`, ...counts };
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

async function* compress(compression: Compression, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (compression === "none") {
    yield* source;
    return;
  }
  const encoder =
    compression === "gzip"
      ? createGzip({ level: GZIP_LEVEL, chunkSize: PIECE })
      : createZstdCompress({ chunkSize: PIECE });
  // The encoder reports the failure of either side to the loop below.
  pipeline(Readable.from(source, { highWaterMark: 1 }), encoder, () => {});
  for await (const piece of encoder) yield piece as Buffer;
}
