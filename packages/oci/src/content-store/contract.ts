import type { Digest } from "../digest.ts";

/**
 * Content by digest: the blobs of images, shared by everything that reads or makes them.
 *
 * Promises of every implementation:
 * - A blob that can be seen is whole: it has the digest that it is found under. It never changes.
 * - A blob that was put or committed stays after a power cut from the moment the call resolved.
 * - Any number of writers, in any number of processes, may write the same blob; all succeed, one copy is kept.
 * - Nothing here blocks the event loop for the time of a disk sync.
 */
export interface ContentStore extends AsyncDisposable {
  /** Size of a blob, or undefined if it is not here. */
  stat(digest: Digest): Promise<BlobInfo | undefined>;

  /**
   * Opens a blob for reading; it stays readable until the reader is disposed, even if it is deleted meanwhile.
   *
   * @throws NotFound
   */
  open(digest: Digest): Promise<BlobReader>;

  /**
   * A blob, or part of it, in memory.
   *
   * @throws NotFound
   * @throws ResourceExhausted if more than `limit` bytes would be read
   */
  read(digest: Digest, options?: ReadOptions): Promise<Uint8Array>;

  /** A file that holds exactly the blob, for readers in other threads. It must not be written to. @throws NotFound */
  path(digest: Digest): Promise<string>;

  /**
   * Stores bytes under their digest. Idempotent.
   *
   * @param expected refuse bytes with any other digest
   * @throws InvalidArgument if the digest is not the expected one
   */
  put(bytes: Uint8Array, expected?: Digest): Promise<BlobInfo>;

  /**
   * Starts to write a blob, or goes on where an earlier ingest of the same key stopped. Two ingests of one key at the same
   * time do not disturb each other: the second starts from nothing.
   */
  ingest(request: IngestRequest): Promise<Ingest>;

  /** Every blob, in no order. Blobs that come or go meanwhile may be missed. */
  list(): AsyncIterable<BlobInfo>;

  /** Removes a blob; false if it was not here. Leases do not protect against this: only {@link sweep} honours them. */
  delete(digest: Digest): Promise<boolean>;

  usage(): Promise<ContentUsage>;

  /** Protects digests against {@link sweep} until the lease is disposed: from before they are looked up until a root is recorded. */
  lease(): Lease;

  /**
   * Removes blobs that are neither referenced nor leased, for about `budgetMs`; the next call goes on where this one
   * stopped.
   */
  sweep(isReferenced: (digest: Digest) => boolean, options?: SweepOptions): Promise<SweepResult>;
}

export interface BlobInfo {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ReadOptions {
  /** @default 0 */
  readonly offset?: number;
  /** Bytes; fewer come back at the end of the blob. @default to the end */
  readonly length?: number;
  /** Refuse to read more than this many bytes. @default 64 MiB */
  readonly limit?: number;
}

/** An open blob. */
export interface BlobReader extends AsyncDisposable {
  readonly digest: Digest;
  readonly size: number;
  /** Up to `length` bytes from `offset`; empty only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Fills `target` from `offset`, for whoever reads much and keeps nothing. @returns bytes; fewer only at the end */
  readInto(target: Uint8Array, offset: number): Promise<number>;
  /** The blob from `offset` on, in pieces. */
  chunks(offset?: number): AsyncIterable<Uint8Array>;
}

export interface IngestRequest {
  /** Names what is written across restarts; the digest, where it is known. */
  readonly key: string;
  /** Commit accepts only this. @default any */
  readonly digest?: Digest;
  /** Commit accepts only this many bytes, and no more are written. @default any */
  readonly size?: number;
}

/**
 * A blob that is being written.
 *
 *     open ──commit──▶ committed
 *      ├────abort────▶ aborted      (what was written is gone)
 *      └──[dispose]──▶ suspended    (what was written waits for the next ingest of the key)
 *
 * A method called in a later state is a FailedPrecondition; disposing is harmless in all of them.
 */
export interface Ingest extends AsyncDisposable {
  /** Bytes that are there already. A writer goes on from here. */
  readonly offset: number;

  /** @throws ResourceExhausted if the disk is full; InvalidArgument beyond the announced size */
  write(bytes: Uint8Array): Promise<void>;

  /** Drops what was written so far; the ingest starts over at offset 0. */
  restart(): Promise<void>;

  /**
   * The file behind the ingest, for a writer in another thread that appends from {@link offset} and hashes what it
   * writes. Afterwards {@link adopt} says how far it came. Between the two calls no other method may be used.
   */
  lend(): LentFile;

  /**
   * Takes the file back from a writer in another thread.
   *
   * @param written bytes the file now holds
   * @param digest of all of them, if the writer reached the end; {@link commit} then does not hash again
   */
  adopt(written: number, digest?: Digest): void;

  /**
   * Checks size and digest, makes the blob durable and visible.
   *
   * @param expected the digest, where it was not known when the ingest began; of the algorithm that it was begun with
   * @throws InvalidArgument if any differs; the ingest is then aborted
   */
  commit(expected?: Digest): Promise<BlobInfo>;

  abort(): Promise<void>;
}

export interface LentFile {
  readonly path: string;
  readonly offset: number;
}

export interface ContentUsage {
  readonly blobs: number;
  /** Bytes of all blobs. */
  readonly blobBytes: number;
  readonly ingests: number;
  /** Bytes of unfinished ingests. */
  readonly ingestBytes: number;
}

/** Keeps digests from being swept. */
export interface Lease extends Disposable {
  add(digest: Digest): void;
}

export interface SweepOptions {
  /** About how long to work, in milliseconds. @default 100 */
  readonly budgetMs?: number;
  /** Blobs younger than this stay, for writers in other processes that have not recorded them yet. @default 0 */
  readonly minAgeMs?: number;
}

export interface SweepResult {
  readonly removed: number;
  /** Bytes. */
  readonly freed: number;
  /** Whether every blob was looked at since the round began. */
  readonly complete: boolean;
}
