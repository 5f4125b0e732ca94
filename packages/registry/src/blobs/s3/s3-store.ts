import { join } from "node:path";
import {
  type Clock,
  InvalidArgument,
  KeyedMutex,
  NotFound,
  ResourceExhausted,
  systemClock,
  Unavailable,
} from "@boxship/base";
import {
  type BlobInfo,
  type BlobReader,
  type ContentStore,
  type Digest,
  digestAlgorithm,
  digestOf,
  type Ingest,
  type IngestRequest,
  isDigest,
  type Lease,
  openContentStore,
  type ReadOptions,
  type SweepOptions,
  type SweepResult,
} from "@boxship/oci";
import type { S3mini } from "s3mini";
import type { BlobStore } from "../contract.ts";
import { S3Reader } from "./s3-reader.ts";

export interface S3Options {
  /** With the bucket: `https://s3.example/bucket`. */
  readonly endpoint: string;
  /** @default "us-east-1" */
  readonly region?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Before each object's key: `registry/`. @default none */
  readonly prefix?: string;
}

export interface S3StoreOptions extends S3Options {
  /** Where uploads are put together before they are stored whole. */
  readonly staging: string;
  readonly clock?: Clock;
}

const READ_LIMIT = 64 * 1024 * 1024;
/** Objects up to this size are stored by one request; larger ones in parts of it. */
const PART = 32 * 1024 * 1024;
const PAGE = 1000;
const TYPE = "application/octet-stream";

/**
 * Blobs as objects of an S3-compatible store. An upload is put together in a local directory, where it goes on after a cut
 * or a new start, and is stored when it is whole and its digest right: what can be seen in the bucket is acknowledged or
 * about to be.
 */
export async function openS3Store(options: S3StoreOptions): Promise<BlobStore> {
  const { endpoint, region = "us-east-1", accessKeyId, secretAccessKey, prefix = "", clock = systemClock } = options;
  // Only who has a bucket pays for it.
  const { S3mini: Client } = await import("s3mini");
  const staging = await openContentStore({ root: join(options.staging, "staging"), clock });
  // Whole ones that were not stored when a process ended were not acknowledged either.
  for await (const { digest } of staging.list()) await staging.delete(digest);
  const client = new Client({ endpoint: endpoint.replace(/\/+$/, ""), region, accessKeyId, secretAccessKey });
  return new S3Store(client, staging, prefix, clock);
}

class S3Store implements BlobStore {
  readonly #client: S3mini;
  readonly #staging: ContentStore;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #storing = new KeyedMutex();
  readonly #leases = new Map<Digest, number>();
  readonly #removing = new Map<Digest, Promise<unknown>>();
  #next: string | undefined;

  constructor(client: S3mini, staging: ContentStore, prefix: string, clock: Clock) {
    this.#client = client;
    this.#staging = staging;
    this.#prefix = `${prefix}blobs/`;
    this.#clock = clock;
  }

  #key(digest: Digest): string {
    return this.#prefix + digest.replace(":", "/");
  }

  async stat(digest: Digest): Promise<BlobInfo | undefined> {
    await this.#removing.get(digest);
    try {
      return { digest, size: await this.#client.getContentLength(this.#key(digest)) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw outage(error);
    }
  }

  async open(digest: Digest): Promise<BlobReader> {
    const blob = await this.stat(digest);
    if (blob === undefined) {
      throw new NotFound(`blob ${digest} is not in the object store`, { subject: { kind: "blob", name: digest } });
    }
    const body = async (from: number) => {
      return reach(() => this.#client.getObjectRaw(this.#key(digest), false, from, blob.size));
    };
    return new S3Reader(digest, blob.size, body);
  }

  async read(digest: Digest, options: ReadOptions = {}): Promise<Uint8Array> {
    const { offset = 0, limit = READ_LIMIT } = options;
    await using reader = await this.open(digest);
    const length = Math.min(options.length ?? Infinity, Math.max(0, reader.size - offset));
    if (length > limit) {
      throw new ResourceExhausted(`blob ${digest} is too large to read: ${length} bytes where ${limit} are allowed`);
    }
    return reader.read(offset, length);
  }

  async put(bytes: Uint8Array, expected?: Digest): Promise<BlobInfo> {
    const digest = digestOf(bytes, expected === undefined ? "sha256" : digestAlgorithm(expected));
    if (expected !== undefined && digest !== expected) {
      throw new InvalidArgument(`blob ${expected} has the digest ${digest}`, {
        subject: { kind: "blob", name: expected },
      });
    }
    await this.#removing.get(digest);
    // Again where it is there, too: that makes it young for sweeps of others.
    await reach(() => this.#client.putObject(this.#key(digest), Buffer.from(bytes), TYPE));
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
      const bytes = Buffer.from(await reader.read(0, size));
      await reach(() => this.#client.putObject(key, bytes, TYPE));
      return;
    }
    const upload = await reach(() => this.#client.getMultipartUploadId(key, TYPE));
    try {
      const parts: Awaited<ReturnType<S3mini["uploadPart"]>>[] = [];
      for (let at = 0; at < size; at += PART) {
        const bytes = Buffer.from(await reader.read(at, PART));
        parts.push(await reach(() => this.#client.uploadPart(key, upload, bytes, parts.length + 1)));
      }
      await reach(() => this.#client.completeMultipartUpload(key, upload, parts));
    } catch (error) {
      await this.#client.abortMultipartUpload(key, upload).catch(() => {});
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
    const page = await reach(() => this.#client.listObjectsPaged("/", this.#prefix, PAGE, token));
    const blobs = (page?.objects ?? []).flatMap(({ Key, Size, LastModified }) => {
      const digest = Key.slice(this.#prefix.length).replace("/", ":");
      return isDigest(digest) ? [{ digest, size: Size, changed: new Date(LastModified).getTime() }] : [];
    });
    return { blobs, next: page?.nextContinuationToken };
  }

  async delete(digest: Digest): Promise<boolean> {
    if ((await this.stat(digest)) === undefined) return false;
    const removal = reach(() => this.#client.deleteObject(this.#key(digest)));
    const settled = removal.catch(() => {});
    this.#removing.set(digest, settled);
    try {
      await removal;
      return true;
    } finally {
      if (this.#removing.get(digest) === settled) this.#removing.delete(digest);
    }
  }

  lease(): Lease {
    const held = new Set<Digest>();
    return {
      add: (digest) => {
        if (held.has(digest)) return;
        held.add(digest);
        this.#leases.set(digest, (this.#leases.get(digest) ?? 0) + 1);
      },
      [Symbol.dispose]: () => {
        for (const digest of held) {
          const left = (this.#leases.get(digest) ?? 1) - 1;
          if (left === 0) this.#leases.delete(digest);
          else this.#leases.set(digest, left);
        }
        held.clear();
      },
    };
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
    await this.#staging[Symbol.asyncDispose]();
  }
}

/** @throws Unavailable: it is not whoever asks the registry that is wrong */
async function reach<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw outage(error);
  }
}

function outage(error: unknown): Unavailable {
  return new Unavailable(`the object store does not do it: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
    subject: { kind: "object store", name: "s3" },
  });
}

function isMissing(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if ("status" in each && each.status === 404) return true;
  }
  return false;
}
