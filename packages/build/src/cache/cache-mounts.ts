import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  Conflict,
  KeyedMutex,
  type Logger,
  NotFound,
  syncDirectory,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import { exportTree, extractArchive } from "@boxship/oci";
import { measureTree, removeTreeAway } from "@boxship/storage";
import { keyOf } from "../solver/keys.ts";

/** A directory that outlives builds: `RUN --mount=type=cache`. */
export interface CacheMountRecord {
  /** Name of its directory. */
  readonly key: string;
  /** As the file names it: `id=`, else the target. */
  readonly id: string;
  /** Of several with the same id that are `private`, from 0. */
  readonly copy: number;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly used: number;
  readonly uses: number;
  /** It was brought from elsewhere, and nobody has had it since. @default false */
  readonly imported?: boolean;
}

export interface CacheMountRequest {
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
}

/** One that a command has. Disposing gives it back. */
export interface TakenCacheMount extends AsyncDisposable {
  readonly path: string;
  /** It was made just now and is empty. */
  readonly fresh: boolean;
  /** It was imported, and its directory belongs to nobody yet. */
  readonly imported: boolean;
}

const RECORD = "record.json";
const DATA = "data";

/** The cache mounts of an instance: `KEY/record.json` and `KEY/data`. */
export class CacheMounts {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #records = new Map<string, CacheMountRecord>();
  /** How many commands have it. */
  readonly #users = new Map<string, number>();
  readonly #locks = new KeyedMutex();

  private constructor(root: string, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
  }

  static async open(options: {
    readonly root: string;
    readonly clock: Clock;
    readonly logger: Logger;
  }): Promise<CacheMounts> {
    const { root, clock, logger } = options;
    const mounts = new CacheMounts(root, clock);
    await mkdir(root, { recursive: true, mode: 0o700 });
    for (const name of await readdir(root)) {
      try {
        // A command may have had it where it cannot be mounted.
        await stat(join(root, name, DATA));
        const record = JSON.parse(await readFile(join(root, name, RECORD), "utf8")) as CacheMountRecord;
        mounts.#records.set(name, { ...record, key: name });
      } catch (error) {
        if (systemCode(error) !== "ENOENT" && !(error instanceof SyntaxError)) throw error;
        logger.info("removing a cache mount that was not finished", { path: join(root, name) });
        await removeTreeAway(join(root, name));
      }
    }
    return mounts;
  }

  list(): readonly CacheMountRecord[] {
    return [...this.#records.values()];
  }

  isInUse(key: string): boolean {
    return this.#users.has(key);
  }

  /** Where its files are. */
  path(key: string): string {
    return join(this.#root, key, DATA);
  }

  /** What it takes on the disk, in bytes. */
  async size(key: string): Promise<number> {
    return (await measureTree(this.path(key))).size;
  }

  /**
   * Gives a command its directory: `shared` with others at the same time, `locked` after them, `private` another copy
   * while they have it.
   */
  async take(request: CacheMountRequest, signal: AbortSignal): Promise<TakenCacheMount> {
    if (request.sharing === "locked") return this.#takeLocked(request, signal);
    return this.#locks.run(`choose ${request.id}`, async () => {
      for (let copy = 0; ; copy++) {
        const key = keyOf("cache mount", request.id, copy);
        if (request.sharing === "private" && this.#users.has(key)) continue;
        return await this.#use(key, request.id, copy);
      }
    });
  }

  async #takeLocked(request: CacheMountRequest, signal: AbortSignal): Promise<TakenCacheMount> {
    const key = keyOf("cache mount", request.id, 0);
    const taken = Promise.withResolvers<TakenCacheMount>();
    const released = Promise.withResolvers<void>();
    // Never rejects: failures go to whoever takes it.
    void this.#locks.run(key, async () => {
      try {
        signal.throwIfAborted();
        const inner = await this.#use(key, request.id, 0);
        taken.resolve({
          ...inner,
          [Symbol.asyncDispose]: async () => {
            await inner[Symbol.asyncDispose]();
            released.resolve();
          },
        });
        await released.promise;
      } catch (error) {
        taken.reject(error);
      }
    });
    return taken.promise;
  }

  async #use(key: string, id: string, copy: number): Promise<TakenCacheMount> {
    this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
    try {
      const known = this.#records.get(key);
      if (known === undefined) await this.#make(key, id, copy);
      else {
        const { imported: _imported, ...rest } = known;
        this.#records.set(key, { ...rest, used: this.#clock.now(), uses: known.uses + 1 });
      }
      return {
        path: this.path(key),
        fresh: known === undefined,
        imported: known?.imported === true,
        [Symbol.asyncDispose]: () => this.#giveBack(key),
      };
    } catch (error) {
      await this.#giveBack(key);
      throw error;
    }
  }

  async #make(key: string, id: string, copy: number): Promise<void> {
    const now = this.#clock.now();
    const record: CacheMountRecord = { key, id, copy, created: now, used: now, uses: 1 };
    await mkdir(join(this.#root, key, DATA), { recursive: true, mode: 0o755 });
    await writeFileAtomic(join(this.#root, key, RECORD), JSON.stringify(record));
    this.#records.set(key, record);
  }

  async #giveBack(key: string): Promise<void> {
    const left = (this.#users.get(key) ?? 1) - 1;
    if (left === 0) this.#users.delete(key);
    else this.#users.set(key, left);
    const record = this.#records.get(key);
    if (record !== undefined) await writeFileAtomic(join(this.#root, key, RECORD), JSON.stringify(record));
  }

  /**
   * What the mount of an id holds, as a plain tar. Nobody removes it meanwhile; a command that has it may change it.
   *
   * @throws NotFound
   */
  export(id: string): AsyncIterable<Uint8Array> {
    const key = keyOf("cache mount", id, 0);
    if (!this.#records.has(key)) throw noMount(id);
    return this.#pack(key, id);
  }

  async *#pack(key: string, id: string): AsyncGenerator<Uint8Array> {
    await using taken = await this.#use(key, id, 0);
    yield* exportTree(taken.path);
  }

  /**
   * Makes the mount of an id from an archive; what it held is gone. A failed import leaves what was there.
   *
   * @param archive plain, or compressed with gzip or zstd
   * @throws Conflict while a command has it
   */
  async import(id: string, archive: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<CacheMountRecord> {
    const key = keyOf("cache mount", id, 0);
    const staged = join(this.#root, `.import-${randomBytes(6).toString("hex")}`);
    await mkdir(join(staged, DATA), { recursive: true, mode: 0o755 });
    try {
      await extractArchive(join(staged, DATA), "/", archive, {}, signal);
      return await this.#locks.run(`choose ${id}`, async () => {
        if (this.#users.has(key)) {
          throw new Conflict(`cache mount ${id} is in use`, {
            subject: { kind: "cache mount", name: id },
            remedy: "try again when the build has ended",
          });
        }
        const now = this.#clock.now();
        const record: CacheMountRecord = { key, id, copy: 0, created: now, used: now, uses: 0, imported: true };
        await writeFileAtomic(join(staged, RECORD), JSON.stringify(record));
        await this.remove(key);
        await rename(staged, join(this.#root, key));
        await syncDirectory(this.#root);
        this.#records.set(key, record);
        return record;
      });
    } catch (error) {
      await removeTreeAway(staged);
      throw error;
    }
  }

  /** Removes one that nobody has. @returns false when somebody does, or there is none */
  async remove(key: string): Promise<boolean> {
    if (this.#users.has(key) || !this.#records.delete(key)) return false;
    const gone = join(this.#root, `.gone-${randomBytes(6).toString("hex")}`);
    await rename(join(this.#root, key), gone);
    await removeTreeAway(gone);
    return true;
  }
}

function noMount(id: string): NotFound {
  return new NotFound(`there is no cache mount ${id}`, {
    subject: { kind: "cache mount", name: id },
    remedy: "boxship builder cache ls lists them",
  });
}
