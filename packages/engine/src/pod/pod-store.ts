import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  errorMessage,
  type Logger,
  NotFound,
  ResourceExhausted,
  syncDirectory,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import { POD_RECORD_VERSION, type PodRecord } from "./record.ts";

/** All pods of the instance: a map in memory, a directory for each on disk. A record is durable before it is visible. */
export class PodStore {
  readonly #directory: string;
  readonly #records = new Map<string, PodRecord>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Loads `<root>/pods`. A record that cannot be read is logged and left alone on disk. */
  static async open(root: string, logger: Logger): Promise<PodStore> {
    const store = new PodStore(join(root, "pods"));
    await mkdir(store.#directory, { recursive: true, mode: 0o710 });
    for (const id of await readdir(store.#directory)) await store.#load(id, logger);
    return store;
  }

  async #load(id: string, logger: Logger): Promise<void> {
    const path = join(this.directoryOf(id), "pod.json");
    try {
      const record = JSON.parse(await readFile(path, "utf8")) as PodRecord;
      if (record.version !== POD_RECORD_VERSION || record.id !== id) {
        throw new Error(`record of version ${record.version}, expected ${POD_RECORD_VERSION}`);
      }
      this.#records.set(id, record);
    } catch (error) {
      // Without a record nothing was promised: a run or a removal that was cut short.
      if (systemCode(error) === "ENOENT") await rm(this.directoryOf(id), { recursive: true, force: true });
      else logger.error("pod record cannot be read; the pod is left out", { path, error: errorMessage(error) });
    }
  }

  /** Where a pod keeps its own files: record, hosts, hostname, resolv.conf. */
  directoryOf(id: string): string {
    return join(this.#directory, id);
  }

  get(id: string): PodRecord | undefined {
    return this.#records.get(id);
  }

  /** By its id or an unambiguous beginning of it. @throws NotFound */
  resolve(ref: string): PodRecord {
    const exact = this.#records.get(ref);
    if (exact !== undefined) return exact;
    const found = ref === "" ? [] : [...this.#records.values()].filter(({ id }) => id.startsWith(ref));
    if (found[0] !== undefined && found.length === 1) return found[0];
    throw new NotFound(`no such pod: ${ref === "" ? "its id is empty" : ref}`, { subject: { kind: "pod", name: ref } });
  }

  all(): readonly PodRecord[] {
    return [...this.#records.values()];
  }

  /** Durable, then visible. */
  async save(record: PodRecord): Promise<void> {
    const directory = this.directoryOf(record.id);
    await mkdir(directory, { recursive: true, mode: 0o710 });
    await writeFileAtomic(join(directory, "pod.json"), JSON.stringify(record));
    this.#records.set(record.id, record);
  }

  /** What has happened to a pod: visible also when the disk is full. The next daemon finds that out for itself. */
  async note(record: PodRecord): Promise<void> {
    try {
      await this.save(record);
    } catch (error) {
      if (!(error instanceof ResourceExhausted)) throw error;
      this.#records.set(record.id, record);
    }
  }

  /** Forgets the pod, durably; its directory goes with it. Idempotent. */
  async delete(id: string): Promise<void> {
    const directory = this.directoryOf(id);
    await rm(join(directory, "pod.json"), { force: true });
    await syncDirectory(directory).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    this.#records.delete(id);
    await rm(directory, { recursive: true, force: true });
  }
}
