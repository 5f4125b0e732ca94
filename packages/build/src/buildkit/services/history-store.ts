import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, type Logger, writeFileAtomic } from "@boxship/base";
import { FrameReader, frame, type Init, milliseconds, timestamp, type ValueOf } from "@boxship/grpc";
import { BuildHistoryEvent, BuildHistoryRecord, HistoryEventType, StatusResponse } from "../wire/control.ts";

export type HistoryRecord = Init<ValueOf<typeof BuildHistoryRecord>>;
export type HistoryEvent = Init<ValueOf<typeof BuildHistoryEvent>>;

/** Finished builds that are remembered; older ones go. Pinned ones stay. */
const KEEP = 50;
/** Output of a build that is remembered. */
const MAX_LOG_BYTES = 4 << 20;

/**
 * The builds of the past, for `docker buildx history`: each is a file `<reference>.record` and one with all that
 * happened, `<reference>.status`. What is lost in a crash is the memory of a build, never its result.
 */
export class HistoryStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<(event: HistoryEvent) => void>();
  readonly #active = new Map<string, HistoryRecord>();

  constructor(options: { readonly directory: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** A build begins. */
  begin(record: HistoryRecord): void {
    const started = { ...record, createdAt: timestamp(this.#clock.now()) };
    this.#active.set(record.ref ?? "", started);
    this.#tell({ type: HistoryEventType.started, record: started });
  }

  /** A build has ended; `messages` are what happened in it. */
  async complete(ref: string, more: HistoryRecord, messages: readonly Uint8Array[]): Promise<void> {
    const started = this.#active.get(ref);
    if (started === undefined) return;
    const record = { ...started, ...more, completedAt: timestamp(this.#clock.now()) };
    this.#active.delete(ref);
    if (isSafe(ref)) await this.#write(ref, record, messages);
    this.#tell({ type: HistoryEventType.complete, record });
  }

  /** A disk that is full keeps nothing from being built, nor what went wrong from being told. */
  async #write(ref: string, record: HistoryRecord, messages: readonly Uint8Array[]): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path(ref, "status"), Buffer.concat(withinLimit(messages)));
      await writeFileAtomic(this.#path(ref, "record"), BuildHistoryRecord.encode(record));
      await this.#forgetOldest();
    } catch (error) {
      await rm(this.#path(ref, "status"), { force: true }).catch(() => {});
      this.#logger.warn("a build could not be remembered", { ref, error });
    }
  }

  /** Builds under way, or of the past; newest last. */
  async list(options: { readonly activeOnly: boolean; readonly ref: string }): Promise<readonly HistoryEvent[]> {
    const active = [...this.#active.values()].map((record) => ({ type: HistoryEventType.started, record }));
    const past = options.activeOnly
      ? []
      : (await this.#records()).map((record) => ({ type: HistoryEventType.complete, record }));
    return [...past, ...active].filter(({ record }) => options.ref === "" || record.ref === options.ref);
  }

  /** Hears of builds that begin, end and are forgotten. */
  listen(listener: (event: HistoryEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** What happened in a build of the past; undefined when it is not remembered. */
  async messages(ref: string): Promise<readonly Init<ValueOf<typeof StatusResponse>>[] | undefined> {
    if (!isSafe(ref)) return undefined;
    try {
      const bytes = await readFile(this.#path(ref, "status"));
      return [...new FrameReader().push(bytes)].map((message) => StatusResponse.decode(message));
    } catch {
      return undefined;
    }
  }

  async pin(ref: string, pinned: boolean): Promise<boolean> {
    const record = (await this.#records()).find((candidate) => candidate.ref === ref);
    if (record === undefined) return false;
    await writeFileAtomic(this.#path(ref, "record"), BuildHistoryRecord.encode({ ...record, pinned }));
    return true;
  }

  async forget(ref: string): Promise<boolean> {
    const record = (await this.#records()).find((candidate) => candidate.ref === ref);
    if (record === undefined) return false;
    await rm(this.#path(ref, "record"), { force: true });
    await rm(this.#path(ref, "status"), { force: true });
    this.#tell({ type: HistoryEventType.deleted, record });
    return true;
  }

  #path(ref: string, kind: "record" | "status"): string {
    return join(this.#directory, `${ref}.${kind}`);
  }

  #tell(event: HistoryEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async #records(): Promise<readonly HistoryRecord[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const records: HistoryRecord[] = [];
    for (const name of names) {
      if (!name.endsWith(".record")) continue;
      try {
        records.push(BuildHistoryRecord.decode(await readFile(join(this.#directory, name))));
      } catch {
        // One that was removed meanwhile, or is broken, is no memory.
      }
    }
    return records.sort((a, b) => createdAt(a) - createdAt(b));
  }

  async #forgetOldest(): Promise<void> {
    const records = (await this.#records()).filter((record) => record.pinned !== true);
    for (const { ref } of records.slice(0, Math.max(0, records.length - KEEP))) await this.forget(ref ?? "");
  }
}

const createdAt = (record: HistoryRecord): number =>
  milliseconds({ seconds: record.createdAt?.seconds ?? 0, nanos: record.createdAt?.nanos ?? 0 }) ?? 0;

/** References are chosen by clients, and become names of files. */
const isSafe = (ref: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(ref);

function withinLimit(messages: readonly Uint8Array[]): readonly Buffer[] {
  const kept: Buffer[] = [];
  let bytes = 0;
  for (const message of messages) {
    bytes += message.length;
    if (bytes > MAX_LOG_BYTES) break;
    kept.push(frame(message));
  }
  return kept;
}
