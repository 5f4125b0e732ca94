import { join } from "node:path";
import { type Clock, KeyedMutex, NotFound, Semaphore, systemClock } from "@boxship/base";
import {
  type BlobInfo,
  type BlobReader,
  type ContentStore,
  type Digest,
  type Ingest,
  type IngestRequest,
  isDigest,
  type Lease,
  Leases,
  openContentStore,
  type ReadOptions,
  readWithin,
  type SweepOptions,
  type SweepResult,
  verifiedDigest,
} from "@boxship/oci";
import type { BlobStore } from "../contract.ts";
import { type Bucket, type BucketOptions, openBucket } from "./bucket.ts";
import { S3Reader } from "./s3-reader.ts";

export interface S3Options extends BucketOptions {
  /** Before each object's key: `registry/`. @default none */
  readonly prefix?: string;
}

export interface S3StoreOptions extends S3Options {
  /** Where uploads are put together before they are stored whole. */
  readonly staging: string;
  readonly clock?: Clock;
}

/** Objects up to this size are stored by one request; larger ones in parts of it. */
const PART = 16 * 1024 * 1024;
/** So many of them are in memory at once. */
const PARTS = 4;

/**
 * Blobs as objects of an S3-compatible store. An upload is put together in a local directory, where it goes on after a cut
 * or a new start, and is stored when it is whole and its digest right: what can be seen in the bucket is acknowledged or
 * about to be.
 */
export async function openS3Store(options: S3StoreOptions): Promise<BlobStore> {
  const { prefix = "", clock = systemClock } = options;
  const staging = await openContentStore({ root: join(options.staging, "staging"), clock });
  // Whole ones that were not stored when a process ended were not acknowledged either.
  for await (const { digest } of staging.list()) await staging.delete(digest);
  return new S3Store(await openBucket(options), staging, prefix, clock);
}

class S3Store implements BlobStore {
  readonly #bucket: Bucket;
  readonly #staging: ContentStore;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #storing = new KeyedMutex();
  readonly #parts = new Semaphore(PARTS);
  readonly #leases = new Leases();
  readonly #removing = new Map<Digest, Promise<unknown>>();
  #next: string | undefined;

  constructor(bucket: Bucket, staging: ContentStore, prefix: string, clock: Clock) {
    this.#bucket = bucket;
    this.#staging = staging;
    this.#prefix = `${prefix}blobs/`;
    this.#clock = clock;
  }

  #key(digest: Digest): string {
    return this.#prefix + digest.replace(":", "/");
  }

  async stat(digest: Digest): Promise<BlobInfo | undefined> {
    await this.#removing.get(digest);
    const size = await this.#bucket.size(this.#key(digest));
    return size === undefined ? undefined : { digest, size };
  }

  async open(digest: Digest): Promise<BlobReader> {
    const blob = await this.stat(digest);
    if (blob === undefined) {
      throw new NotFound(`blob ${digest} is not in the object store`, { subject: { kind: "blob", name: digest } });
    }
    return new S3Reader(digest, blob.size, (from) => this.#bucket.body(this.#key(digest), from));
  }

  async read(digest: Digest, options: ReadOptions = {}): Promise<Uint8Array> {
    await using reader = await this.open(digest);
    return await readWithin(reader, options);
  }

  async put(bytes: Uint8Array, expected?: Digest): Promise<BlobInfo> {
    const digest = verifiedDigest(bytes, expected);
    await this.#removing.get(digest);
    // Again where it is there, too: that makes it young for sweeps of others.
    await this.#bucket.put(this.#key(digest), bytes);
    return { digest, size: bytes.byteLength };
  }

  async ingest(request: IngestRequest): Promise<Ingest> {
    const staged = await this.#staging.ingest(request);
    return {
      get offset() {
        return staged.offset;
      },
      write: (bytes) => staged.write(bytes),
      restart: () => staged.restart(),
      lend: () => staged.lend(),
      adopt: (written, digest) => staged.adopt(written, digest),
      abort: () => staged.abort(),
      [Symbol.asyncDispose]: () => staged[Symbol.asyncDispose](),
      commit: async (expected) => {
        const blob = await staged.commit(expected);
        await this.#storing.run(blob.digest, () => this.#storeStaged(blob));
        return blob;
      },
    };
  }

  /** What another upload of the same blob has stored and cleared away is there. */
  async #storeStaged(blob: BlobInfo): Promise<void> {
    const { digest } = blob;
    await this.#removing.get(digest);
    if ((await this.#staging.stat(digest)) === undefined && (await this.stat(digest)) !== undefined) return;
    try {
      await this.#store(blob);
    } finally {
      await this.#staging.delete(digest);
    }
  }

  /** From the staging directory. An object appears whole or not at all. */
  async #store({ digest, size }: BlobInfo): Promise<void> {
    const key = this.#key(digest);
    await using reader = await this.#staging.open(digest);
    if (size <= PART) {
      await this.#parts.run(async () => this.#bucket.put(key, await reader.read(0, size)));
      return;
    }
    const upload = await this.#bucket.parts(key);
    try {
      for (let at = 0; at < size; at += PART) {
        await this.#parts.run(async () => upload.add(await reader.read(at, PART)));
      }
      await upload.complete();
    } catch (error) {
      await upload.abort().catch(() => {});
      throw error;
    }
  }

  async *list(): AsyncIterable<BlobInfo> {
    let next: string | undefined;
    do {
      const page = await this.#page(next);
      for (const { digest, size } of page.blobs) yield { digest, size };
      next = page.next;
    } while (next !== undefined);
  }

  async #page(token: string | undefined) {
    const { objects, next } = await this.#bucket.list(this.#prefix, token);
    const blobs = objects.flatMap(({ key, size, changed }) => {
      const digest = key.slice(this.#prefix.length).replace("/", ":");
      return isDigest(digest) ? [{ digest, size, changed }] : [];
    });
    return { blobs, next };
  }

  async delete(digest: Digest): Promise<boolean> {
    const removal = this.#remove(this.#key(digest), this.#removing.get(digest));
    const settled = removal.catch(() => {});
    // Nothing is awaited before: who looks from now on waits for the removal.
    this.#removing.set(digest, settled);
    try {
      return await removal;
    } finally {
      if (this.#removing.get(digest) === settled) this.#removing.delete(digest);
    }
  }

  async #remove(key: string, before: Promise<unknown> | undefined): Promise<boolean> {
    await before;
    if ((await this.#bucket.size(key)) === undefined) return false;
    await this.#bucket.remove(key);
    return true;
  }

  lease(): Lease {
    return this.#leases.lease();
  }

  /** One page of the bucket's list at a time. */
  async sweep(isReferenced: (digest: Digest) => boolean, options: SweepOptions = {}): Promise<SweepResult> {
    const youngest = this.#clock.now() - (options.minAgeMs ?? 0);
    const { blobs, next } = await this.#page(this.#next);
    let [removed, freed] = [0, 0];
    for (const { digest, size, changed } of blobs) {
      if (isReferenced(digest) || this.#leases.has(digest) || changed > youngest) continue;
      if (!(await this.delete(digest))) continue;
      removed++;
      freed += size;
    }
    this.#next = next;
    return { removed, freed, complete: next === undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bucket[Symbol.dispose]();
    await this.#staging[Symbol.asyncDispose]();
  }
}
