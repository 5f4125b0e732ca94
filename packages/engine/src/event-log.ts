import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, type Logger, systemCode } from "@boxship/base";
import type { EngineEvent } from "./engine-api.ts";

/** Events in one of the two files; the older one is thrown away when the newer one is full. */
const PER_FILE = 1024;

interface StoredEvent extends Omit<EngineEvent, "time"> {
  /** Nanoseconds since the epoch, more than a JSON number holds. */
  readonly time: string;
}

/**
 * The latest events on disk, so that they are known after a restart: a line of JSON for each in `events.log`, what was
 * before in `events.log.1`. They are written in batches, a moment after they happened, and are not synced: `kill -9` loses
 * what happened in its last milliseconds. A disk that is full loses events, and nothing else.
 */
export class EventLog implements AsyncDisposable {
  /** What the files held when they were opened, oldest first. */
  readonly past: readonly EngineEvent[];
  readonly #path: string;
  readonly #logger: Logger;
  #file: FileHandle | undefined;
  #lines: number;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #failed = false;

  private constructor(path: string, logger: Logger, file: FileHandle, files: readonly (readonly EngineEvent[])[]) {
    this.#path = path;
    this.#logger = logger;
    this.#file = file;
    this.past = files.flat();
    this.#lines = files.at(-1)?.length ?? 0;
  }

  /** Opens the log below `root`. Lines that cannot be read, such as a last one that was cut off, are passed over. */
  static async open(root: string, logger: Logger): Promise<EventLog> {
    await mkdir(root, { recursive: true, mode: 0o710 });
    const path = join(root, "events.log");
    const files = await Promise.all([readEvents(`${path}.1`), readEvents(path)]);
    const file = await open(path, "a", 0o600);
    // Behind a line that was cut off.
    if (files[1].torn) await file.write("\n");
    return new EventLog(path, logger, file, [files[0].events, files[1].events]);
  }

  append({ time, ...event }: EngineEvent): void {
    const stored: StoredEvent = { ...event, time: String(time) };
    this.#waiting.push(`${JSON.stringify(stored)}\n`);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    // What happens in the same turn of the event loop becomes one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        if (this.#lines >= PER_FILE) await this.#rotate();
        await this.#file?.write(batch.join(""));
        this.#lines += batch.length;
        this.#failed = false;
      } catch (error) {
        if (!this.#failed) this.#logger.warn("events are not kept on disk", { error: errorMessage(error) });
        this.#failed = true;
      }
    }
  }

  async #rotate(): Promise<void> {
    await rename(this.#path, `${this.#path}.1`);
    const full = this.#file;
    this.#file = await open(this.#path, "a", 0o600);
    this.#lines = 0;
    await full?.close();
  }

  /** Resolves when everything is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }
}

async function readEvents(path: string): Promise<{ readonly events: readonly EngineEvent[]; readonly torn: boolean }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { events: [], torn: false };
    throw error;
  }
  return { events: text.split("\n").flatMap(parseEvent), torn: text !== "" && !text.endsWith("\n") };
}

function parseEvent(line: string): readonly EngineEvent[] {
  try {
    const { time, type, action, actor } = JSON.parse(line) as StoredEvent;
    if (typeof type !== "string" || typeof action !== "string" || typeof actor.id !== "string") return [];
    return [{ type, action, actor, time: BigInt(time) }];
  } catch {
    return [];
  }
}
