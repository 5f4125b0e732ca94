import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Clock, errorMessage, type Logger, systemCode, type Timer } from "@boxship/base";
import { InotifyMask, watchFile } from "@boxship/kernel";
import { identityOf } from "./log-segments.ts";

export interface LogRotationOptions {
  readonly path: string;
  /** Bytes after which a file is rotated away. */
  readonly maxSize: number;
  /** Files in all, the one that is written included; at least 1. */
  readonly maxFile: number;
  /** Compress what is rotated away. */
  readonly compress: boolean;
  /** Whether a file, by its identity, must not be compressed yet. @default none */
  readonly isNeeded?: (identity: string) => boolean;
  /** Has the writer open the path afresh, see {@link ContainerRuntimeApi.reopenLog}. */
  readonly reopen: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long a log is left alone after a look at it: shortest when it fills fast, longest when it hardly grows. */
const REST_MS = { least: 50, most: 1000 } as const;

/**
 * Keeps a log's size in bounds: when the file has grown over its limit it becomes `<path>.1`, that `<path>.2`, and the
 * oldest goes. Looks only after something was written, and then as often as the file fills: a file grows beyond its limit
 * by what is written in a twentieth of a second at most. Compressing waits for that, not the other way about: what a writer
 * fills faster than it can be compressed stays as it is until he rests.
 */
export class LogRotation implements AsyncDisposable {
  readonly #options: LogRotationOptions;
  #watch: AsyncDisposable | undefined;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #compression: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #disposed = false;

  constructor(options: LogRotationOptions) {
    this.#options = options;
    this.#schedule(() => this.#look(REST_MS.least));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#unwatch();
    await this.#running;
    await this.#compression?.ended;
  }

  #schedule(step: () => Promise<void>): void {
    this.#running = step().catch((error: unknown) => {
      this.#options.logger.error("log cannot be rotated", { path: this.#options.path, error: errorMessage(error) });
    });
  }

  /** @param rest milliseconds until it is known how fast the file grows */
  async #look(rest: number): Promise<void> {
    const { path, maxSize, clock } = this.#options;
    await this.#unwatch();
    const size = await sizeOf(path);
    if (size >= maxSize) await this.#rotate();
    // A rotation that was cut off: the writer is still in the file that was renamed.
    else if (size < 0) await this.#options.reopen();
    if (this.#disposed) return;
    const from = Math.max(0, size >= maxSize ? await sizeOf(path) : size);
    this.#timer = clock.setTimeout(rest, () => this.#schedule(() => this.#goOn(from, rest)));
  }

  /** Looks again while the file grows, halfway to where it will be full; otherwise waits for the next write. */
  async #goOn(from: number, rest: number): Promise<void> {
    if (this.#disposed) return;
    const size = await sizeOf(this.#options.path);
    if (size <= from && size >= 0) {
      this.#arm();
      return;
    }
    const untilFull = ((this.#options.maxSize - size) / (size - from)) * rest;
    await this.#look(Math.min(REST_MS.most, Math.max(REST_MS.least, untilFull / 2)));
  }

  #arm(): void {
    if (this.#disposed) return;
    try {
      let seen = false;
      this.#watch = watchFile(this.#options.path, InotifyMask.Modify, () => {
        if (seen || this.#disposed) return;
        seen = true;
        this.#schedule(() => this.#look(REST_MS.least));
      });
    } catch (error) {
      // Just being rotated, or the container's directory is gone.
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  async #unwatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    await watch?.[Symbol.asyncDispose]();
  }

  async #rotate(): Promise<void> {
    const { path, maxFile, reopen } = this.#options;
    this.#compression?.abort.abort();
    await this.#compression?.ended;
    for (let number = maxFile - 1; number >= 1; number--) {
      for (const suffix of ["", ".gz"]) {
        const old = `${path}.${number}${suffix}`;
        if (number === maxFile - 1) await rm(old, { force: true });
        else await renameIfThere(old, `${path}.${number + 1}${suffix}`);
      }
    }
    await rename(path, `${path}.1`);
    await reopen();
    await this.#untilReopened();
    if (maxFile === 1) await rm(`${path}.1`, { force: true });
    else this.#beginCompressing();
  }

  #beginCompressing(): void {
    const { path, compress, logger } = this.#options;
    if (!compress) return;
    const abort = new AbortController();
    const ended = this.#compress(abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) logger.error("log cannot be compressed", { path, error: errorMessage(error) });
    });
    this.#compression = { abort, ended };
  }

  /** What somebody still reads by its place in the file waits for the next time. */
  async #compress(signal: AbortSignal): Promise<void> {
    const { path, maxFile, isNeeded } = this.#options;
    for (let number = 1; number < maxFile; number++) {
      const identity = await identityOf(`${path}.${number}`);
      if (identity !== undefined && isNeeded?.(identity) !== true) await compressFile(`${path}.${number}`, signal);
    }
  }

  /** The writer goes on in the old file until it has opened the new one. */
  async #untilReopened(): Promise<void> {
    const { path, clock } = this.#options;
    for (let waited = 0; waited < REST_MS.most && (await sizeOf(path)) < 0; waited += 5) {
      await new Promise<void>((resolve) => clock.setTimeout(5, resolve).ref());
    }
  }
}

/** -1 when there is no such file. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return -1;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Under a temporary name first: readers never meet a half of it. */
async function compressFile(path: string, signal: AbortSignal): Promise<void> {
  const temporary = `${path}.gz.tmp`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary, { mode: 0o640 }), { signal });
    signal.throwIfAborted();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await rename(temporary, `${path}.gz`);
  await rm(path, { force: true });
}
