import { type FileHandle, open } from "node:fs/promises";
import { abortable } from "../abortable.ts";
import type { BlobInfo, ContentStore } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import type { BlobFollower } from "../distribution/blob-fetch.ts";
import type { RegistryClient, RequestOptions } from "../distribution/client.ts";
import { BlobProgress } from "../layer/blob-source.ts";
import type { Reference } from "../reference.ts";

export interface DownloadRequest extends RequestOptions {
  readonly client: RegistryClient;
  readonly store: ContentStore;
  readonly reference: Reference;
  readonly descriptor: Descriptor;
}

/** A blob that can be read while it arrives. Its path is good until it is disposed. */
export interface FollowedBlob extends AsyncDisposable {
  readonly path: string;
  readonly progress: BlobProgress;
}

/** One download of one blob, for everybody who wants it at the time. Ends when nobody wants it any more. */
export class SharedDownload {
  readonly #controller = new AbortController();
  readonly #progress = new BlobProgress();
  readonly #listeners = new Set<(bytes: number) => void>();
  readonly #opened = Promise.withResolvers<FileHandle | undefined>();
  readonly #done: Promise<BlobInfo>;
  #waiting = 0;
  #lost = false;
  /** The download itself and the followers, who share the open file. */
  #users = 1;

  constructor(request: DownloadRequest) {
    this.#done = this.#run(request);
    this.#done.catch(() => {});
  }

  async #run(request: DownloadRequest): Promise<BlobInfo> {
    const { client, store, reference, descriptor, credentials } = request;
    const follow: BlobFollower = {
      progress: this.#progress,
      lost: () => this.#lose(),
      opened: async (path) => this.#opened.resolve(await open(path, "r")),
    };
    try {
      const blob =
        (await present(store, descriptor)) ??
        (await client.fetchBlob({
          reference,
          descriptor,
          store,
          credentials,
          follow,
          signal: this.#controller.signal,
          onProgress: (bytes) => {
            for (const listener of this.#listeners) listener(bytes);
          },
        }));
      this.#progress.complete();
      return blob;
    } catch (error) {
      this.#lose();
      throw error;
    } finally {
      this.#opened.resolve(undefined);
      await this.#release();
    }
  }

  #lose(): void {
    this.#lost = true;
    this.#progress.fail();
  }

  /** What followers read is worth nothing: they fail, and the reason is in the download. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Resolves when it has ended, well or not. */
  get settled(): Promise<void> {
    return this.#done.then(
      () => {},
      () => {},
    );
  }

  /** Nobody wants it any more: it is on its way out. */
  get abandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Waits for the blob; when the last who waits is aborted, so is the download. */
  async join(onProgress: (bytes: number) => void, signal: AbortSignal): Promise<BlobInfo> {
    this.#waiting++;
    this.#listeners.add(onProgress);
    try {
      return await abortable(this.#done, signal);
    } finally {
      this.#listeners.delete(onProgress);
      if (--this.#waiting === 0 && signal.aborted) {
        this.#controller.abort(signal.reason);
        await this.#done.catch(() => {});
      }
    }
  }

  /** The file as it grows; undefined if the blob cannot be followed and is only there when it is done. */
  async follow(): Promise<FollowedBlob | undefined> {
    if (this.#users === 0) return undefined;
    this.#users++;
    const handle = await this.#opened.promise;
    if (handle === undefined) {
      await this.#release();
      return undefined;
    }
    // Unlike the file's name this stays good when the file becomes a blob, and leaves nothing behind after a crash.
    const path = `/proc/self/fd/${handle.fd}`;
    return { path, progress: this.#progress, [Symbol.asyncDispose]: () => this.#release() };
  }

  async #release(): Promise<void> {
    if (--this.#users > 0) return;
    const handle = await this.#opened.promise;
    await handle?.close();
  }
}

/** Another download may have ended between the caller's look into the store and this one's turn. */
async function present(store: ContentStore, { digest, size }: Descriptor): Promise<BlobInfo | undefined> {
  const blob = await store.stat(digest);
  return blob?.size === size ? blob : undefined;
}

const running = new WeakMap<ContentStore, Map<Digest, SharedDownload>>();

/** The download of a blob into a store that is under way already, or a new one. */
export function sharedDownload(request: DownloadRequest): SharedDownload {
  const { store, descriptor } = request;
  let downloads = running.get(store);
  if (downloads === undefined) {
    downloads = new Map();
    running.set(store, downloads);
  }
  const known = downloads.get(descriptor.digest);
  if (known !== undefined && !known.abandoned) return known;
  const started = new SharedDownload(request);
  downloads.set(descriptor.digest, started);
  void started.settled.then(() => {
    if (downloads.get(descriptor.digest) === started) downloads.delete(descriptor.digest);
  });
  return started;
}
