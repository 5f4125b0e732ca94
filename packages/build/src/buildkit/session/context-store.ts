import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, ResourceExhausted, writeFileAtomic } from "@boxship/base";
import { removeTreeAway } from "@boxship/storage";
import type { CacheRecord } from "../../contract.ts";
import { receiveTree } from "../files/transfer.ts";
import { FileSync } from "../wire/session.ts";
import type { ClientSession } from "./client-session.ts";
import { type FileFilter, filterMetadata, requireFiles } from "./session-files.ts";

/** Copies that nobody used for so long are removed, and the oldest beyond so many bytes. */
const KEEP_MS = 7 * 24 * 3_600_000;
const KEEP_BYTES = 10 * 2 ** 30;
/** How often that is looked after. */
const COLLECT_MS = 3_600_000;

/** What is remembered of a client's directory. */
interface SlotRecord {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

/** A client's directory as it was last seen; nobody else changes it until it is released. */
export interface SyncedContext extends AsyncDisposable {
  readonly path: string;
  readonly transferred: number;
}

/**
 * Copies of clients' directories that are kept between builds, so that only what changed travels. Each is a directory
 * `<hash of its key>.<number>` with `tree/` and `slot.json`; a second build of the same directory at the same time gets
 * one of its own. A copy that a crash left half-way is made equal at its next use like any other.
 */
export class ContextStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #busy = new Set<string>();
  #collected = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly directory: string; readonly clock: Clock }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
  }

  /** Brings the copy up to date and lends it. */
  async sync(
    session: ClientSession,
    filter: FileFilter,
    options: { readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void },
  ): Promise<SyncedContext> {
    requireFiles(session);
    if (this.#clock.now() - this.#collected > COLLECT_MS) await this.collect();
    // A part of a directory has a copy of its own: else two builds of one directory would undo each other's.
    const part = filter.follow === undefined ? "" : `:${filter.follow.join(":")}`;
    const key = `${filter.name}:${session.sharedKey}${part}`;
    const slot = this.#claim(key);
    const path = join(this.#directory, slot, "tree");
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      using call = session.client.call(FileSync.diffCopy, {
        signal: options.signal,
        metadata: filterMetadata(filter),
      });
      const result = await receiveTree(call, {
        directory: path,
        signal: options.signal,
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
      });
      await this.#remember(slot, key, filter.name, result.size);
      return {
        path,
        transferred: result.transferred,
        [Symbol.asyncDispose]: () => {
          this.#busy.delete(slot);
          return Promise.resolve();
        },
      };
    } catch (error) {
      await this.#giveUp(slot, error);
      throw error;
    }
  }

  /** What came of a directory is of use the next time, but not where it fills the disk, or where nobody would see it. */
  async #giveUp(slot: string, error: unknown): Promise<void> {
    try {
      if (error instanceof ResourceExhausted || (await this.#read(slot)) === undefined)
        await removeTreeAway(join(this.#directory, slot));
    } catch {
      // The next collection takes what is left.
    } finally {
      this.#busy.delete(slot);
    }
  }

  /** The copies, as entries of the build cache. */
  async list(): Promise<readonly CacheRecord[]> {
    const slots = await readdir(this.#directory).catch(() => []);
    const records = await Promise.all(slots.map((slot) => this.#record(slot)));
    return records.filter((record) => record !== undefined);
  }

  /** Removes a copy that is not in use. @returns whether it did */
  async remove(id: string): Promise<boolean> {
    if (this.#busy.has(id) || id.includes("/") || id.startsWith(".")) return false;
    this.#busy.add(id);
    try {
      await removeTreeAway(join(this.#directory, id));
      return true;
    } finally {
      this.#busy.delete(id);
    }
  }

  /** Removes copies that are old, too many, or were never finished. */
  async collect(): Promise<void> {
    const now = this.#clock.now();
    this.#collected = now;
    const records = [...(await this.list())].sort((a, b) => b.lastUsed - a.lastUsed);
    const known = new Set(records.map(({ id }) => id));
    for (const slot of await readdir(this.#directory).catch(() => [])) if (!known.has(slot)) await this.remove(slot);
    let bytes = 0;
    for (const { id, lastUsed, size } of records) {
      bytes += size;
      if (now - lastUsed > KEEP_MS || bytes > KEEP_BYTES) await this.remove(id);
    }
  }

  /** A free copy of that key, or the name of a new one. */
  #claim(key: string): string {
    const hash = createHash("sha256").update(key).digest("hex").slice(0, 24);
    for (let number = 0; ; number++) {
      const slot = `${hash}.${number}`;
      if (this.#busy.has(slot)) continue;
      this.#busy.add(slot);
      return slot;
    }
  }

  async #remember(slot: string, key: string, name: string, size: number): Promise<void> {
    const before = await this.#read(slot);
    const now = this.#clock.now();
    const record: SlotRecord = {
      key,
      name,
      size,
      created: before?.created ?? now,
      lastUsed: now,
      uses: (before?.uses ?? 0) + 1,
    };
    await writeFileAtomic(join(this.#directory, slot, "slot.json"), JSON.stringify(record));
  }

  async #read(slot: string): Promise<SlotRecord | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#directory, slot, "slot.json"), "utf8")) as SlotRecord;
    } catch {
      return undefined;
    }
  }

  async #record(slot: string): Promise<CacheRecord | undefined> {
    const record = await this.#read(slot);
    if (record === undefined) return undefined;
    return {
      id: slot,
      kind: "source.local",
      parents: [],
      description: `local source for ${record.name}`,
      inUse: this.#busy.has(slot),
      shared: false,
      size: record.size,
      created: record.created,
      lastUsed: record.lastUsed,
      uses: record.uses,
    };
  }
}
