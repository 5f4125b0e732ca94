import { InvalidArgument, type Semaphore } from "@boxship/base";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import type { BlobProgress } from "../layer/blob-source.ts";
import type { LayerEvent, LayerStatus } from "./progress.ts";
import type { PulledLayer, PullRequest } from "./pull-image.ts";
import { type SharedDownload, sharedDownload } from "./shared-download.ts";

/** A layer that is ready to be unpacked. */
export interface LayerToUnpack {
  /** From the bottom. */
  readonly index: number;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Undefined for the bottom layer. */
  readonly parentChainId: Digest | undefined;
  /** A file with the blob; good until the call has settled. */
  readonly blobPath: string;
  /** Set while the blob still arrives: how far the file is. Its bytes are not verified yet: the diff id tells. */
  readonly follow: BlobProgress | undefined;
  /** To be called with the bytes of archive that were unpacked so far. */
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Unpacks one layer and verifies its diff id. Called for each layer in order, the bottom first, but without waiting: a
 * layer may be called for while those below are still being unpacked. Called for no layer that is unpacked already.
 *
 * @returns bytes of the files' content
 */
export type UnpackLayer = (layer: LayerToUnpack) => Promise<{ readonly size: number }>;

/** What the layers of one pull share. */
export interface LayerPullShared {
  readonly request: PullRequest;
  readonly signal: AbortSignal;
  /** Ends the whole pull; the first error is the one that is thrown. */
  readonly fail: (error: unknown) => void;
  readonly downloads: Semaphore;
  readonly unpacks: Semaphore;
}

export type LayerIdentity = Pick<LayerToUnpack, "index" | "descriptor" | "diffId" | "chainId" | "parentChainId">;

/** Where the blob is to be read while or after it arrives. */
interface ReadableBlob extends AsyncDisposable {
  readonly path: string;
  readonly progress?: BlobProgress;
}

/**
 * One layer of a pull: its download, then, or meanwhile, its unpacking.
 *
 *     Pulling fs layer ─▶ Waiting ─▶ Downloading ─▶ Verifying Checksum ─▶ Download complete ─▶ Extracting ─▶ Pull complete
 *                    └─────────────────────▶ Already exists (blob and, if asked for, files are there)
 */
export class LayerPull {
  readonly #shared: LayerPullShared;
  readonly #layer: LayerIdentity;
  readonly #below: LayerPull | undefined;
  readonly #turn = Promise.withResolvers<void>();
  #downloaded = false;

  constructor(shared: LayerPullShared, layer: LayerIdentity, below: LayerPull | undefined) {
    this.#shared = shared;
    this.#layer = layer;
    this.#below = below;
  }

  /** Resolves when the layers above may be unpacked, which is when this one has been started. */
  get turn(): Promise<void> {
    return this.#turn.promise;
  }

  async run(): Promise<PulledLayer> {
    try {
      const pulled = await this.#run();
      this.#emit(pulled.size === undefined && !this.#downloaded ? "Already exists" : "Pull complete");
      return pulled;
    } catch (error) {
      // Before the layers above are let go on.
      this.#shared.fail(error);
      throw error;
    } finally {
      this.#turn.resolve();
    }
  }

  async #run(): Promise<PulledLayer> {
    const { store, unpackLayer, isUnpacked } = this.#shared.request;
    const { descriptor, diffId, chainId } = this.#layer;
    const pulled = { descriptor, diffId, chainId, size: undefined };
    const present = await store.stat(descriptor.digest);
    if (present !== undefined && present.size !== descriptor.size) {
      throw new InvalidArgument(
        `blob ${descriptor.digest} has ${present.size} bytes, the manifest says ${descriptor.size}`,
        { subject: { kind: "blob", name: descriptor.digest } },
      );
    }
    const unpack = isUnpacked?.(chainId) === true ? undefined : unpackLayer;
    if (present !== undefined && unpack === undefined) return pulled;
    this.#emit("Pulling fs layer");
    if (present !== undefined) {
      this.#downloaded = true;
      this.#emit("Download complete");
      return { ...pulled, size: unpack && (await this.#unpack(unpack, () => this.#stored())) };
    }
    return { ...pulled, size: await this.#downloadAndUnpack(unpack) };
  }

  async #downloadAndUnpack(unpackLayer: UnpackLayer | undefined): Promise<number | undefined> {
    const waiting = setImmediate(() => this.#emit("Waiting"));
    const started = Promise.withResolvers<SharedDownload>();
    const download = this.#shared.downloads.run(async () => {
      clearImmediate(waiting);
      await this.#download(started.resolve);
    });
    // Unpacking waits for the start of the download, so it must hear when there will be none.
    download.catch(started.reject);
    started.promise.catch(() => {});
    if (unpackLayer === undefined) {
      await download;
      return undefined;
    }
    const unpack = this.#unpack(unpackLayer, async () => this.#arriving(await started.promise));
    unpack.catch(async (error: unknown) => {
      // A layer that cannot be unpacked need not be downloaded any further. But why the rest of a blob never came is said
      // by the download, not by what the unpacking makes of that.
      const lost = await started.promise.then(
        (shared) => shared.lost,
        () => true,
      );
      if (!lost) this.#shared.fail(error);
    });
    const [downloaded, unpacked] = await Promise.allSettled([download, unpack]);
    if (downloaded.status === "rejected") throw downloaded.reason;
    if (unpacked.status === "rejected") throw unpacked.reason;
    return unpacked.value;
  }

  async #download(onStart: (download: SharedDownload) => void): Promise<void> {
    const { request, signal } = this.#shared;
    signal.throwIfAborted();
    const { size } = this.#layer.descriptor;
    const download = sharedDownload({ ...request, descriptor: this.#layer.descriptor });
    this.#emit("Downloading", { current: 0, total: size });
    let verifying = false;
    const joined = download.join((bytes) => {
      if (bytes < size) this.#emit("Downloading", { current: bytes, total: size });
      else if (!verifying) this.#emit("Verifying Checksum");
      verifying = bytes >= size;
    }, signal);
    onStart(download);
    await joined;
    if (!verifying) this.#emit("Verifying Checksum");
    this.#downloaded = true;
    this.#emit("Download complete");
  }

  async #stored(): Promise<ReadableBlob> {
    const path = await this.#shared.request.store.path(this.#layer.descriptor.digest);
    return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
  }

  async #arriving(download: SharedDownload): Promise<ReadableBlob> {
    const followed = this.#downloaded ? undefined : await download.follow();
    if (followed !== undefined) return followed;
    await download.join(() => {}, this.#shared.signal);
    return this.#stored();
  }

  async #unpack(unpackLayer: UnpackLayer, open: () => Promise<ReadableBlob>): Promise<number> {
    const { signal, unpacks } = this.#shared;
    await this.#below?.turn;
    return unpacks.run(async () => {
      await using blob = await open();
      signal.throwIfAborted();
      const result = unpackLayer({
        ...this.#layer,
        blobPath: blob.path,
        follow: blob.progress,
        signal,
        onProgress: (bytes) => {
          // Docker's clients show one state a layer: that it is being extracted comes after its download.
          if (this.#downloaded) this.#emit("Extracting", { current: bytes });
        },
      });
      this.#turn.resolve();
      return (await result).size;
    });
  }

  #emit(status: LayerStatus, bytes: Pick<LayerEvent, "current" | "total"> = {}): void {
    this.#shared.request.onProgress?.({ kind: "layer", digest: this.#layer.descriptor.digest, status, ...bytes });
  }
}
