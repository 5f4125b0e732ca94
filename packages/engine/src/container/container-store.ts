import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  AlreadyExists,
  type Clock,
  Conflict,
  errorMessage,
  InvalidArgument,
  type Logger,
  NotFound,
  ResourceExhausted,
  syncDirectory,
  systemCode,
  type Timer,
  writeFileAtomic,
} from "@boxship/base";
import { type ContainerRecord, RECORD_VERSION } from "./record.ts";

/** How long after a full disk kept a record from being written it is tried again. */
const RETRY_MS = 2000;

/**
 * All containers of the instance: a map in memory, one `container.json` per container on disk. A record is durable
 * before {@link ContainerStore.save} resolves, and only then visible to readers; what has happened anyway is
 * {@link ContainerStore.note | noted}.
 */
export class ContainerStore implements AsyncDisposable {
  readonly #directory: string;
  readonly #records = new Map<string, ContainerRecord>();
  readonly #names = new Map<string, string>();
  readonly #retired = new Map<string, ContainerRecord>();

  /** Records that are newer than their files. */
  readonly #unsaved = new Set<string>();
  readonly #whenSaved = new Map<string, () => void>();
  #retry: Timer | undefined;
  readonly #logger: Logger;
  readonly #clock: Clock;

  private constructor(directory: string, logger: Logger, clock: Clock) {
    this.#directory = directory;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Loads `<root>/containers`. A record that cannot be read is logged and left alone on disk. */
  static async open(root: string, logger: Logger, clock: Clock): Promise<ContainerStore> {
    const store = new ContainerStore(join(root, "containers"), logger, clock);
    await mkdir(store.#directory, { recursive: true, mode: 0o710 });
    const ids = await readdir(store.#directory);
    await Promise.all(ids.map((id) => store.#load(id, logger)));
    return store;
  }

  async #load(id: string, logger: Logger): Promise<void> {
    const path = join(this.directoryOf(id), "container.json");
    try {
      const record = JSON.parse(await readFile(path, "utf8")) as ContainerRecord;
      if (record.version !== RECORD_VERSION || record.id !== id) {
        throw new Error(`record of version ${record.version}, expected ${RECORD_VERSION}`);
      }
      if (record.state.status === "removing") {
        this.#retired.set(id, record);
        return;
      }
      this.#records.set(id, record);
      this.#names.set(record.name, id);
    } catch (error) {
      if (systemCode(error) === "ENOENT") {
        // A create or a removal that was cut short before, or after, its record: nothing was promised.
        await rm(this.directoryOf(id), { recursive: true, force: true });
        return;
      }
      logger.error("container record cannot be read; the container is left out", { path, error: errorMessage(error) });
    }
  }

  /** Where a container keeps its own files: record, log, hosts, hostname, resolv.conf. */
  directoryOf(id: string): string {
    return join(this.#directory, id);
  }

  /**
   * By full id, name (with or without the leading slash), or a prefix of an id.
   *
   * @throws NotFound, InvalidArgument when the prefix is ambiguous
   */
  resolve(ref: string): ContainerRecord {
    const record = this.find(ref);
    if (record === undefined) {
      throw new NotFound(`No such container: ${ref}`, { subject: { kind: "container", name: ref } });
    }
    return record;
  }

  /** As {@link resolve}, but undefined when there is none. */
  find(ref: string): ContainerRecord | undefined {
    const exact = this.#records.get(ref);
    if (exact !== undefined) return exact;
    const named = this.#names.get(ref.startsWith("/") ? ref.slice(1) : ref);
    if (named !== undefined) return this.#records.get(named);
    if (!/^[0-9a-f]+$/.test(ref)) return undefined;
    const matches = [...this.#records.keys()].filter((id) => id.startsWith(ref));
    if (matches.length > 1) {
      throw new InvalidArgument(`multiple IDs found with provided prefix: ${ref}`, {
        subject: { kind: "container", name: ref },
        remedy: "give more digits of the id",
      });
    }
    return matches[0] === undefined ? undefined : this.#records.get(matches[0]);
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  all(): readonly ContainerRecord[] {
    return [...this.#records.values()];
  }

  /** Takes a name for a container that is about to be saved. Released by {@link releaseName} or {@link delete}. */
  reserveName(name: string, id: string): void {
    const owner = this.#names.get(name);
    if (owner !== undefined && owner !== id) {
      throw new AlreadyExists(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
        { subject: { kind: "container", name } },
      );
    }
    this.#names.set(name, id);
  }

  releaseName(name: string, id: string): void {
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  hasName(name: string): boolean {
    return this.#names.has(name);
  }

  /** Makes the container's directory; the record follows with {@link save}. */
  async prepare(id: string): Promise<void> {
    await mkdir(this.directoryOf(id), { mode: 0o710 });
  }

  /** Durable, then visible. The caller serialises writes per container. */
  async save(record: ContainerRecord): Promise<void> {
    const before = this.#records.get(record.id);
    if (before === record) return;
    if (before !== undefined && before.name !== record.name && this.#names.get(record.name) !== record.id) {
      throw new Conflict(`container name ${record.name} was not reserved`, {
        subject: { kind: "container", name: record.name },
      });
    }
    await this.#write(record);
    this.#records.set(record.id, record);
    this.#names.set(record.name, record.id);
    this.#saved(record.id);
  }

  #saved(id: string): void {
    this.#unsaved.delete(id);
    const then = this.#whenSaved.get(id);
    this.#whenSaved.delete(id);
    then?.();
  }

  /** Calls once the container's record is on disk, if it is not removed before. Only the last call for a container counts. */
  whenSaved(id: string, then: () => void): void {
    this.#whenSaved.set(id, then);
    if (!this.#unsaved.has(id)) this.#saved(id);
  }

  /**
   * As {@link ContainerStore.save}, for what has happened whether it can be written or not, such as an exit: on a full disk
   * it is visible all the same, and written as soon as there is room.
   *
   * @returns whether it is on disk
   */
  async note(record: ContainerRecord): Promise<boolean> {
    try {
      await this.save(record);
      return true;
    } catch (error) {
      if (!(error instanceof ResourceExhausted)) throw error;
      this.#logger.error("a container's state is not saved yet", { container: record.name, error: error.message });
      this.#records.set(record.id, record);
      this.#unsaved.add(record.id);
      this.#retryLater();
      return false;
    }
  }

  #retryLater(): void {
    this.#retry ??= this.#clock.setTimeout(RETRY_MS, () => {
      this.#retry = undefined;
      void this.saveNoted();
    });
  }

  /** Tries to write what was only noted. */
  async saveNoted(): Promise<void> {
    for (const id of this.#unsaved) {
      const record = this.#records.get(id);
      if (record === undefined) continue;
      try {
        await this.#write(record);
        // What came meanwhile is another record, and has been written or noted itself.
        if (this.#records.get(id) === record) this.#saved(id);
      } catch (error) {
        if (!(error instanceof ResourceExhausted)) {
          this.#logger.error("a container's state cannot be saved", {
            container: record.name,
            error: errorMessage(error),
          });
        }
      }
    }
    if (this.#unsaved.size > 0) this.#retryLater();
  }

  /** A last try to write what was only noted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.saveNoted();
    this.#retry?.[Symbol.dispose]();
  }

  #write(record: ContainerRecord): Promise<void> {
    return writeFileAtomic(join(this.directoryOf(record.id), "container.json"), JSON.stringify(record));
  }

  /**
   * First half of a removal, durable: nobody finds the container any more and its name is free. What it left is cleaned
   * up from {@link ContainerStore.retired}, by this daemon or the next, and then {@link ContainerStore.delete}d.
   */
  async retire(record: ContainerRecord): Promise<void> {
    const retired: ContainerRecord = { ...record, state: { ...record.state, status: "removing" } };
    try {
      await this.#write(retired);
    } catch (error) {
      if (!(error instanceof ResourceExhausted)) throw error;
      // Removing is what makes room again. Without a record, the next daemon takes what is left for a cut-off create's.
      await rm(join(this.directoryOf(record.id), "container.json"), { force: true });
      await syncDirectory(this.directoryOf(record.id));
    }
    this.#unsaved.delete(record.id);
    this.#whenSaved.delete(record.id);
    this.#retired.set(record.id, retired);
    this.#records.delete(record.id);
    this.releaseName(record.name, record.id);
  }

  /** Containers whose removal was promised and is not finished. */
  retired(): readonly ContainerRecord[] {
    return [...this.#retired.values()];
  }

  /** Forgets the container, durably; its directory goes with it. Idempotent. */
  async delete(id: string): Promise<void> {
    const directory = this.directoryOf(id);
    // The record goes first: a crash in the middle leaves a directory without one, which open() removes.
    await rm(join(directory, "container.json"), { force: true });
    await syncDirectory(directory).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    const record = this.#records.get(id);
    this.#records.delete(id);
    this.#retired.delete(id);
    if (record !== undefined) this.releaseName(record.name, id);
    await rm(directory, { recursive: true, force: true });
  }
}
