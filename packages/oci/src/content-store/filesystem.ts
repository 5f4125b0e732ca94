import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, opendir, readdir, rename, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  KeyedMutex,
  NotFound,
  Semaphore,
  syncDirectory,
  systemClock,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import { type Digest, isDigest } from "../digest.ts";
import type {
  BlobInfo,
  BlobReader,
  ContentStore,
  ContentUsage,
  Ingest,
  IngestRequest,
  Lease,
  ReadOptions,
  SweepOptions,
  SweepResult,
} from "./contract.ts";
import { openIngest } from "./ingest.ts";
import { Leases } from "./leases.ts";
import { readIngestName, StorePaths } from "./paths.ts";
import { readWithin, verifiedDigest } from "./whole-blob.ts";

export interface FilesystemStoreOptions {
  /** Directory of the store; made if it is missing. */
  readonly root: string;
  /** Unfinished ingests that nobody took up for this long are removed on open. @default 24 hours */
  readonly ingestMaxAgeMs?: number;
  /** Blobs outlive a loss of power; false for a store that its process throws away. @default true */
  readonly durable?: boolean;
  /** @default systemClock */
  readonly clock?: Clock;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const CHUNK_SIZE = 1024 * 1024;
/** Disk syncs occupy threads of the pool that every other file operation of the process needs. */
const CONCURRENT_SYNCS = 2;

/** Opens the store in a directory, and clears away what crashed writers left behind. */
export async function openContentStore(options: FilesystemStoreOptions): Promise<ContentStore> {
  const { root, ingestMaxAgeMs = DAY_MS, durable = true, clock = systemClock } = options;
  const paths = new StorePaths(root);
  await mkdir(join(paths.blobs, "sha256"), { recursive: true, mode: 0o711 });
  await mkdir(paths.ingests, { recursive: true, mode: 0o700 });
  const marker = join(root, "oci-layout");
  if (!(await exists(marker))) await writeFileAtomic(marker, `{"imageLayoutVersion":"1.0.0"}`, { mode: 0o644 });
  await clearIngests(paths, clock.now() - ingestMaxAgeMs);
  return new FilesystemStore(paths, durable, clock);
}

async function clearIngests(paths: StorePaths, before: number): Promise<void> {
  for (const name of await readdir(paths.ingests)) {
    const file = readIngestName(name);
    if (file === undefined || file.owned) continue;
    const path = join(paths.ingests, name);
    const info = await orUndefined(stat(path));
    if (info !== undefined && info.mtimeMs < before) await orUndefined(unlink(path));
  }
}

async function exists(path: string): Promise<boolean> {
  return (await orUndefined(stat(path))) !== undefined;
}

/** The result, or undefined if the file is not there. */
async function orUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function missing(digest: Digest): NotFound {
  return new NotFound(`blob ${digest} is not in the content store`, { subject: { kind: "blob", name: digest } });
}

class FilesystemStore implements ContentStore {
  readonly #paths: StorePaths;
  readonly #durable: boolean;
  readonly #clock: Clock;
  readonly #syncs = new Semaphore(CONCURRENT_SYNCS);
  /** Syncs of directories that have not begun yet. */
  readonly #nextSync = new Map<string, Promise<void>>();
  /** Orders publishing and removing of one digest. */
  readonly #changes = new KeyedMutex();
  readonly #removing = new Map<Digest, Promise<unknown>>();
  readonly #leases = new Leases();
  /** Where the running sweep stopped. */
  #sweepAfter = "";

  constructor(paths: StorePaths, durable: boolean, clock: Clock) {
    this.#paths = paths;
    this.#durable = durable;
    this.#clock = clock;
  }

  async stat(digest: Digest): Promise<BlobInfo | undefined> {
    await this.#removing.get(digest);
    const info = await orUndefined(stat(this.#paths.blob(digest)));
    return info === undefined ? undefined : { digest, size: info.size };
  }

  async open(digest: Digest): Promise<BlobReader> {
    await this.#removing.get(digest);
    const handle = await orUndefined(open(this.#paths.blob(digest), "r"));
    if (handle === undefined) throw missing(digest);
    return new FileReader(digest, (await handle.stat()).size, handle);
  }

  async read(digest: Digest, options: ReadOptions = {}): Promise<Uint8Array> {
    await using reader = await this.open(digest);
    return await readWithin(reader, options);
  }

  async path(digest: Digest): Promise<string> {
    if ((await this.stat(digest)) === undefined) throw missing(digest);
    return this.#paths.blob(digest);
  }

  async put(bytes: Uint8Array, expected?: Digest): Promise<BlobInfo> {
    const digest = verifiedDigest(bytes, expected);
    const present = await this.stat(digest);
    if (present !== undefined) return this.#changes.run(digest, () => this.#touch(present, bytes));
    await using ingest = await this.ingest({ key: `put ${randomBytes(8).toString("hex")}`, digest });
    try {
      await ingest.write(bytes);
      return await ingest.commit();
    } catch (error) {
      await ingest.abort();
      throw error;
    }
  }

  /** Tells sweeps in other processes that a blob was wanted just now; writes it if such a sweep was faster. */
  async #touch(blob: BlobInfo, bytes: Uint8Array): Promise<BlobInfo> {
    const now = new Date(this.#clock.now());
    const touched = await orUndefined(utimes(this.#paths.blob(blob.digest), now, now).then(() => true));
    return touched === true ? blob : this.put(bytes, blob.digest);
  }

  async ingest(request: IngestRequest): Promise<Ingest> {
    return openIngest(this.#paths, request, (file, blob) => this.#publish(file, blob));
  }

  async #publish(file: { readonly path: string; readonly handle: FileHandle }, blob: BlobInfo): Promise<void> {
    if (this.#durable) await this.#syncs.run(() => file.handle.datasync());
    const directory = this.#paths.algorithm(blob.digest);
    await mkdir(directory, { recursive: true, mode: 0o711 });
    await this.#changes.run(blob.digest, async () => {
      // Replacing an equal blob is harmless, and leaves no moment in which it is missing.
      await rename(file.path, this.#paths.blob(blob.digest));
      if (this.#durable) await this.#syncDirectory(directory);
    });
  }

  /** One sync is enough for all who renamed before it began. */
  #syncDirectory(directory: string): Promise<void> {
    const waiting = this.#nextSync.get(directory);
    if (waiting !== undefined) return waiting;
    const sync = this.#syncs.run(() => {
      this.#nextSync.delete(directory);
      return syncDirectory(directory);
    });
    this.#nextSync.set(directory, sync);
    return sync;
  }

  async *list(): AsyncIterable<BlobInfo> {
    for (const algorithm of await readdir(this.#paths.blobs)) {
      for await (const entry of await opendir(join(this.#paths.blobs, algorithm))) {
        const digest = `${algorithm}:${entry.name}`;
        if (!isDigest(digest)) continue;
        const blob = await this.stat(digest);
        if (blob !== undefined) yield blob;
      }
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    const removal = this.#changes.run(digest, () => this.#unlink(digest));
    const settled = removal.catch(() => {});
    this.#removing.set(digest, settled);
    try {
      return await removal;
    } finally {
      if (this.#removing.get(digest) === settled) this.#removing.delete(digest);
    }
  }

  async #unlink(digest: Digest): Promise<boolean> {
    return (await orUndefined(unlink(this.#paths.blob(digest)).then(() => true))) ?? false;
  }

  async usage(): Promise<ContentUsage> {
    let blobs = 0;
    let blobBytes = 0;
    for await (const blob of this.list()) {
      blobs++;
      blobBytes += blob.size;
    }
    let ingests = 0;
    let ingestBytes = 0;
    for (const name of await readdir(this.#paths.ingests)) {
      const info = await orUndefined(stat(join(this.#paths.ingests, name)));
      if (info === undefined) continue;
      ingests++;
      ingestBytes += info.size;
    }
    return { blobs, blobBytes, ingests, ingestBytes };
  }

  lease(): Lease {
    return this.#leases.lease();
  }

  async sweep(isReferenced: (digest: Digest) => boolean, options: SweepOptions = {}): Promise<SweepResult> {
    const { budgetMs = 100, minAgeMs = 0 } = options;
    const end = this.#clock.monotonic() + budgetMs;
    const youngest = this.#clock.now() - minAgeMs;
    let removed = 0;
    let freed = 0;
    for (const digest of await this.#digestsAfter(this.#sweepAfter)) {
      if (this.#clock.monotonic() > end) return { removed, freed, complete: false };
      this.#sweepAfter = digest;
      if (isReferenced(digest) || this.#leases.has(digest)) continue;
      const info = await orUndefined(stat(this.#paths.blob(digest)));
      if (info === undefined || info.mtimeMs > youngest) continue;
      // Nothing is awaited between this check and the moment from which `stat` waits for the removal.
      if (isReferenced(digest) || this.#leases.has(digest)) continue;
      if (!(await this.delete(digest))) continue;
      removed++;
      freed += info.size;
    }
    this.#sweepAfter = "";
    return { removed, freed, complete: true };
  }

  async #digestsAfter(last: string): Promise<readonly Digest[]> {
    const digests: Digest[] = [];
    for (const algorithm of await readdir(this.#paths.blobs)) {
      for (const name of await readdir(join(this.#paths.blobs, algorithm))) {
        const digest = `${algorithm}:${name}`;
        if (digest > last && isDigest(digest)) digests.push(digest);
      }
    }
    return digests.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const removal of this.#removing.values()) await removal;
  }
}

class FileReader implements BlobReader {
  readonly digest: Digest;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(digest: Digest, size: number, handle: FileHandle) {
    this.digest = digest;
    this.size = size;
    this.#handle = handle;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(length, Math.max(0, this.size - offset)));
    return buffer.subarray(0, await this.readInto(buffer, offset));
  }

  async readInto(target: Uint8Array, offset: number): Promise<number> {
    const wanted = Math.min(target.byteLength, Math.max(0, this.size - offset));
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.#handle.read(target, done, wanted - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async *chunks(offset = 0): AsyncIterable<Uint8Array> {
    for (let at = offset; at < this.size; ) {
      const chunk = await this.read(at, CHUNK_SIZE);
      if (chunk.byteLength === 0) return;
      yield chunk;
      at += chunk.byteLength;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
