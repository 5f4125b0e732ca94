import { readFile } from "node:fs/promises";
import { type Clock, type Logger, systemCode, writeFileAtomic } from "@boxship/base";

interface Times {
  /** As `Date` writes them. */
  readonly startTime?: string;
  readonly endTime?: string;
}

export interface ShutdownRecordOptions {
  /** A file; it outlives the machine's going down. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** When pods were ended last because the machine went down, for metrics. */
export class ShutdownRecord {
  readonly #options: ShutdownRecordOptions;
  #times: Times;

  private constructor(options: ShutdownRecordOptions, times: Times) {
    this.#options = options;
    this.#times = times;
  }

  static async open(options: ShutdownRecordOptions): Promise<ShutdownRecord> {
    const { path, logger } = options;
    try {
      return new ShutdownRecord(options, JSON.parse(await readFile(path, "utf8")) as Times);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") logger.warn("the time of the last shutdown cannot be read", { path, error });
      return new ShutdownRecord(options, {});
    }
  }

  /** Seconds since the epoch; 0 when there was none. */
  get start(): number {
    return seconds(this.#times.startTime);
  }

  /** The same; 0 while it goes on, too. */
  get end(): number {
    return seconds(this.#times.endTime);
  }

  began(): Promise<void> {
    return this.#write({ startTime: this.#now() });
  }

  async ended(): Promise<void> {
    await this.#write({ ...this.#times, endTime: this.#now() });
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  /** Never rejects: pods are ended with a full disk, too. */
  async #write(times: Times): Promise<void> {
    const { path, logger } = this.#options;
    this.#times = times;
    try {
      await writeFileAtomic(path, JSON.stringify(times));
    } catch (error) {
      logger.warn("the time of a shutdown cannot be written", { path, error });
    }
  }
}

function seconds(time: string | undefined): number {
  const milliseconds = Date.parse(time ?? "");
  return Number.isNaN(milliseconds) ? 0 : milliseconds / 1000;
}
