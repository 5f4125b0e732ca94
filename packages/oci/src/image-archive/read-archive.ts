import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { MessageChannel } from "node:worker_threads";
import { InvalidArgument, Semaphore } from "@boxship/base";
import { WorkerPool } from "@boxship/base/worker-pool";
import type { ContentStore, Ingest, Lease } from "../content-store/contract.ts";
import type { Digest } from "../digest.ts";
import { sendBytes } from "../layer/archive/byte-channel.ts";

/** An archive whose files are in the content store, and can be swept once the lease is gone. */
export interface ReadArchive {
  /** Files by name, without leading `./`. */
  readonly files: ReadonlyMap<string, ArchivedFile>;
  /** Symbolic and hard links: name to the name that it stands for. */
  readonly links: ReadonlyMap<string, string>;
  /** The files at the root that say what is in the archive, by name. */
  readonly documents: ReadonlyMap<string, Uint8Array>;
}

export interface ArchivedFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ReadArchiveRequest {
  /** Plain, or compressed with gzip or zstd. */
  readonly archive: AsyncIterable<Uint8Array>;
  readonly store: ContentStore;
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
}

/** What the worker is asked: archives arrive over one port, files to write to over the other. */
export interface ReadTask {
  readonly bytes: MessagePort;
  readonly files: MessagePort;
}

export interface ReadTaskResult {
  readonly files: readonly (readonly [name: string, file: ArchivedFile])[];
  readonly links: readonly (readonly [name: string, target: string])[];
  readonly documents: readonly (readonly [name: string, bytes: Uint8Array])[];
}

/** The worker's side of one file: asks where to write it, then says what came of it. */
export type FromReader =
  | { readonly kind: "open"; readonly digest: Digest | undefined; readonly size: number }
  | { readonly kind: "written"; readonly digest: Digest; readonly size: number }
  /** Nothing follows. The answer tells that all before it has been taken: results come on another way, and faster. */
  | { readonly kind: "end" };

/** Without a path the content is there already, and only to be verified. */
export interface ToReader {
  readonly path: string | undefined;
}

const pool = new WorkerPool({
  name: "image-archive",
  source: new URL("./read-archive-worker.ts", import.meta.url),
  // Most of their time these wait for a client, which must keep nobody else waiting.
  tasksPerWorker: Number.POSITIVE_INFINITY,
});

/** Blobs that are being made durable while the next ones are read. */
const CONCURRENT_COMMITS = 4;

/**
 * Takes an archive of images apart in a worker thread: every file goes straight into the content store. Nothing of it
 * touches a name in the file system.
 *
 * When it rejects nothing is being written any more; blobs that were complete are left to the sweep.
 *
 * @throws InvalidArgument for a corrupt or truncated archive, names or links that leave it, and blobs that are not what
 *   their names say; Unsupported for compressions other than gzip and zstd; ResourceExhausted for a full disk
 */
export async function readArchive(request: ReadArchiveRequest): Promise<ReadArchive> {
  const { archive, store, lease } = request;
  const bytes = new MessageChannel();
  const files = new MessageChannel();
  const stop = new AbortController();
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal]);
  const { port1: port } = files;
  const reply = (message: ToReader) => port.postMessage(message);
  const sink = new BlobSink(store, lease, reply, (error) => stop.abort(error));
  files.port1.on("message", (message: FromReader) => sink.handle(message));
  const task = { bytes: bytes.port2, files: files.port2 };
  const reading = pool.run<ReadTaskResult>(task, { signal, transfer: [bytes.port2, files.port2] });
  const onAbort = () => {
    bytes.port1.close();
    files.port1.close();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  // A request that is refused half-way must still be answered, so its stream is left alone; a failure of the stream
  // reaches the worker, which then fails with it.
  const source = archive instanceof Readable ? archive.iterator({ destroyOnReturn: false }) : archive;
  sendBytes(bytes.port1, source).catch(() => {});
  try {
    const result = await reading;
    await sink.settled();
    return {
      files: new Map(result.files),
      links: new Map(result.links),
      documents: new Map(result.documents),
    };
  } catch (error) {
    await sink.abort();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    onAbort();
  }
}

/** Gives the worker files of the content store to write to, and makes blobs of them. */
class BlobSink {
  readonly #store: ContentStore;
  readonly #lease: Lease;
  readonly #reply: (message: ToReader) => void;
  readonly #fail: (error: unknown) => void;
  readonly #commits = new Semaphore(CONCURRENT_COMMITS);
  readonly #running = new Set<Promise<void>>();
  #expected: Digest | undefined;
  #opening: Promise<void> = Promise.resolve();
  #ingest: Ingest | undefined;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(store: ContentStore, lease: Lease, reply: (message: ToReader) => void, fail: (error: unknown) => void) {
    this.#store = store;
    this.#lease = lease;
    this.#reply = reply;
    this.#fail = fail;
  }

  handle(message: FromReader): void {
    // What was posted before the failure and comes after it is nobody's any more.
    if (this.#ended) return;
    try {
      if (message.kind === "written") this.#written(message.digest, message.size);
      else if (message.kind === "end") this.#reply({ path: undefined });
      else this.#opening = this.#open(message.digest, message.size).catch((error: unknown) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#failure ??= { error };
    this.#fail(error);
  }

  async #open(digest: Digest | undefined, size: number): Promise<void> {
    // Waits while many are being synced, so that a fast client cannot run ahead of the disk.
    await this.#commits.run(() => Promise.resolve());
    this.#expected = digest;
    if (digest !== undefined) {
      this.#lease.add(digest);
      if ((await this.#store.stat(digest))?.size === size) return this.#reply({ path: undefined });
    }
    const key = `archive ${randomBytes(12).toString("hex")}`;
    const ingest = await this.#store.ingest(digest === undefined ? { key, size } : { key, digest, size });
    this.#ingest = ingest;
    this.#reply({ path: ingest.lend().path });
  }

  #written(digest: Digest, size: number): void {
    const ingest = this.#ingest;
    const expected = this.#expected;
    this.#ingest = undefined;
    if (ingest === undefined) {
      if (digest === expected) return;
      throw new InvalidArgument(`blob ${expected} in the archive has the digest ${digest}`, {
        subject: { kind: "blob", name: expected ?? digest },
      });
    }
    ingest.adopt(size, digest);
    const known = expected !== undefined;
    const commit = this.#commits
      .run(() => this.#commit(ingest, digest, known))
      .catch((error: unknown) => this.#failed(error));
    this.#running.add(commit);
    void commit.finally(() => this.#running.delete(commit));
  }

  async #commit(ingest: Ingest, digest: Digest, known: boolean): Promise<void> {
    this.#lease.add(digest);
    if (!known && (await this.#store.stat(digest)) !== undefined) return ingest.abort();
    await ingest.commit();
  }

  /** @throws what went wrong with any blob */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async abort(): Promise<void> {
    this.#ended = true;
    await this.#opening;
    await Promise.all(this.#running);
    await this.#ingest?.abort();
  }
}

const LINK_DEPTH = 8;

/** The file that a name in `manifest.json` means, links followed. @throws InvalidArgument if there is none */
export function lookUpFile({ files, links }: ReadArchive, name: string): ArchivedFile {
  let at = name.replace(/^(?:\.\/)+/, "");
  for (let depth = 0; depth <= LINK_DEPTH; depth++) {
    const file = files.get(at);
    if (file !== undefined) return file;
    const target = links.get(at);
    if (target === undefined) break;
    at = target;
  }
  throw new InvalidArgument(`the archive lacks ${JSON.stringify(name)}, which its manifest.json names`, {
    remedy: "it was cut short or changed: save the image again",
  });
}

/** Ends the worker threads now instead of when they have been idle for a while. */
export async function endImageArchiveWorkers(): Promise<void> {
  await pool[Symbol.asyncDispose]();
}
