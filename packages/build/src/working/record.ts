import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, type Logger, syncDirectory, writeFileAtomic } from "@boxship/base";
import type { ImageConfig, ImageHistory, ImageRuntimeConfig, StoredLayer } from "@boxship/oci";
import type { WorkingSettings } from "./working-contract.ts";

export const WORKING_VERSION = 1;

/** All that is known of a working container, beside its files. */
export interface WorkingRecord {
  readonly version: typeof WORKING_VERSION;
  readonly id: string;
  readonly name: string;
  readonly fromImage: string;
  readonly fromImageId: string;
  readonly fromImageDigest: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Bottom first. */
  readonly layers: readonly StoredLayer[];
  /** Platform, author and other fields of the image's document. */
  readonly base: Omit<ImageConfig, "rootfs" | "config" | "history" | "created">;
  readonly config: ImageRuntimeConfig;
  /** The image's own, and what was done since. */
  readonly history: readonly ImageHistory[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly settings: WorkingSettings;
  readonly createdBy?: string;
  readonly comment?: string;
  readonly historyComment?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  /** Somebody wants to see its files. */
  readonly mounted: boolean;
}

/** The records of an instance, one file for each. What {@link save} has returned for is durable. */
export class WorkingStore {
  readonly #root: string;
  readonly #records = new Map<string, WorkingRecord>();

  private constructor(root: string) {
    this.#root = root;
  }

  /** A record that cannot be read is logged and left alone. */
  static async open(root: string, logger: Logger): Promise<WorkingStore> {
    const store = new WorkingStore(root);
    await mkdir(root, { recursive: true, mode: 0o700 });
    for (const file of await readdir(root)) {
      if (!file.endsWith(".json")) continue;
      const path = join(root, file);
      try {
        const record = JSON.parse(await readFile(path, "utf8")) as WorkingRecord;
        if (record.version !== WORKING_VERSION) throw new Error("it is of another version");
        store.#records.set(record.id, record);
      } catch (error) {
        logger.error("the record of a working container cannot be read; it is left out", {
          path,
          reason: errorMessage(error),
        });
      }
    }
    return store;
  }

  /** Oldest first. */
  all(): readonly WorkingRecord[] {
    return [...this.#records.values()].sort((a, b) => a.created - b.created);
  }

  get(id: string): WorkingRecord | undefined {
    return this.#records.get(id);
  }

  async save(record: WorkingRecord): Promise<void> {
    await writeFileAtomic(this.#fileOf(record.id), JSON.stringify(record), { mode: 0o600 });
    this.#records.set(record.id, record);
  }

  async remove(id: string): Promise<void> {
    await rm(this.#fileOf(id), { force: true });
    await syncDirectory(this.#root);
    this.#records.delete(id);
  }

  #fileOf(id: string): string {
    return join(this.#root, `${id}.json`);
  }
}
