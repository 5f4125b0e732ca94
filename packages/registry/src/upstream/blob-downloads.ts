import { type FileHandle, open } from "node:fs/promises";
import { NotFound, Unavailable } from "@boxship/base";
import { BlobProgress, type Digest } from "@boxship/oci";
import type { RepositoryStore } from "../store/repository-store.ts";
import type { Upstream } from "./upstream.ts";

const PIECE = 256 * 1024;

/** A blob that arrives: whoever asked first and whoever comes later read the same file as it grows. */
export interface FollowedBlob {
  readonly size: number;
  /** Resolves when the blob is in its repository. @throws as the other registry answers */
  readonly whole: Promise<void>;
  /** Undefined where it cannot be followed: then {@link whole} is to be waited for. */
  reader(): Promise<FollowingReader | undefined>;
}

/** Reads a blob that may still be growing. */
export interface FollowingReader extends Disposable {
  /** All of it. @throws Unavailable where the rest does not come, InvalidArgument where it is not what it should be */
  chunks(): AsyncGenerator<Uint8Array>;
}

/** Blobs that are being fetched, each once. */
export class BlobDownloads implements AsyncDisposable {
  readonly #repositories: RepositoryStore;
  readonly #running = new Map<string, Promise<Download>>();
  readonly #stop = new AbortController();

  constructor(repositories: RepositoryStore) {
    this.#repositories = repositories;
  }

  async follow(upstream: Upstream, repository: string, digest: Digest): Promise<FollowedBlob> {
    const key = `${repository}@${digest}`;
    for (let running = this.#running.get(key); running !== undefined; running = this.#running.get(key)) {
      const download = await running;
      if (!download.lost) return download;
      // What went wrong for those before is tried again for those who come now.
      await download.whole.catch(() => {});
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
    const started = Download.start(upstream, this.#repositories, repository, digest, this.#stop.signal);
    this.#running.set(key, started);
    const forget = (): void => {
      if (this.#running.get(key) === started) this.#running.delete(key);
    };
    started.then(({ whole }) => whole.finally(forget).catch(() => {}), forget);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Unavailable("the registry ends"));
    await Promise.allSettled([...this.#running.values()].map(async (download) => (await download).whole));
  }
}

class Download implements FollowedBlob {
  readonly size: number;
  readonly whole: Promise<void>;
  readonly #progress = new BlobProgress();
  readonly #opened = Promise.withResolvers<FileHandle | undefined>();
  #readers = 0;
  #ended = false;
  /** Whether what was given out is worth nothing. */
  lost = false;
  #closed = false;

  private constructor(size: number, fetch: (download: Download) => Promise<void>) {
    this.size = size;
    this.whole = fetch(this).finally(() => this.#end());
    // Followers hear of it by their own reading.
    this.whole.catch(() => {});
  }

  static async start(
    upstream: Upstream,
    repositories: RepositoryStore,
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<Download> {
    const reference = upstream.reference(repository);
    const found = await upstream.ask((client) => client.statBlob(reference, digest, { signal }));
    if (found === undefined) {
      throw new NotFound(`blob ${digest} is not in repository ${repository}`, {
        subject: { kind: "blob", name: digest },
      });
    }
    const descriptor = { digest, size: found.size, mediaType: "application/octet-stream" };
    return new Download(found.size, async (download) => {
      using lease = repositories.content.lease();
      lease.add(digest);
      const present = await repositories.content.stat(digest);
      if (present === undefined) {
        const follow = {
          progress: download.#progress,
          lost: () => download.#lose(),
          opened: (path: string) => download.#open(path),
        };
        const request = { reference, descriptor, store: repositories.content, signal, follow };
        await upstream.ask((client) => client.fetchBlob(request));
      }
      await repositories.linkBlob(repository, digest, found.size);
    });
  }

  async reader(): Promise<FollowingReader | undefined> {
    this.#readers++;
    const file = this.lost || this.#ended ? undefined : await Promise.race([this.#opened.promise, this.#over()]);
    let reading = true;
    const stop = (): void => {
      if (reading) this.#readers--;
      reading = false;
      this.#closeUnread();
    };
    if (file !== undefined) return { chunks: () => this.#read(file), [Symbol.dispose]: stop };
    stop();
    return undefined;
  }

  async *#read(file: FileHandle): AsyncGenerator<Uint8Array> {
    const never = new Int32Array(new SharedArrayBuffer(4));
    for (let position = 0; position < this.size; ) {
      if (this.lost) throw new Unavailable("the download begins again");
      const there = await this.#progress.beyond(position, never);
      const end = Math.min(this.size, there === "complete" ? this.size : there);
      // The last piece is not given out before the whole is known to be what it should be.
      if (end === this.size) await this.whole;
      while (position < end) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE, end - position));
        const { bytesRead } = await file.read(piece, 0, piece.byteLength, position);
        if (bytesRead === 0) throw new Unavailable("the download was cut short");
        position += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    }
  }

  async #over(): Promise<undefined> {
    await this.whole.catch(() => {});
    return undefined;
  }

  async #open(path: string): Promise<void> {
    const file = await open(path, "r");
    this.#opened.resolve(file);
  }

  #lose(): void {
    this.lost = true;
    this.#progress.fail();
  }

  #end(): void {
    this.#ended = true;
    this.whole.then(
      () => this.#progress.complete(),
      () => this.#progress.fail(),
    );
    this.#opened.resolve(undefined);
    this.#closeUnread();
  }

  #closeUnread(): void {
    if (!this.#ended || this.#readers > 0 || this.#closed) return;
    this.#closed = true;
    void this.#opened.promise.then((file) => file?.close());
  }
}
