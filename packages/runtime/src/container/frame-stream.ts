import { Readable } from "node:stream";
import type { StreamFrame } from "../contract.ts";

const FRAMES_BUFFERED = 16;

export interface FrameSource {
  readonly stream: StreamFrame["stream"];
  readonly readable: Readable;
}

/**
 * Joins byte streams into one stream of frames with back-pressure: a slow reader pauses all of them. Ends when all have
 * ended; destroying it destroys them.
 */
export class FrameStream extends Readable {
  readonly #sources: readonly FrameSource[];
  readonly #open: Set<FrameSource>;
  readonly #closed = Promise.withResolvers<void>();
  #paused = false;
  #frames = 0;

  constructor(sources: readonly FrameSource[]) {
    super({ objectMode: true, highWaterMark: FRAMES_BUFFERED });
    this.#sources = sources;
    this.#open = new Set(sources);
    for (const source of sources) this.#follow(source);
    if (sources.length === 0) this.#finish();
  }

  /** Resolves when no source is open any more, read or not. */
  get released(): Promise<void> {
    return this.#closed.promise;
  }

  /** How many frames have come so far, and whether the reader holds them up. */
  get progress(): { readonly frames: number; readonly paused: boolean } {
    return { frames: this.#frames, paused: this.#paused };
  }

  /** Lets go of sources that are still open. What came from them can still be read, then the stream ends. */
  finish(): void {
    for (const source of this.#open) this.#ended(source);
  }

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const { readable } of this.#open) readable.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const { readable } of this.#sources) readable.destroy();
    this.#closed.resolve();
    done(error);
  }

  #follow(source: FrameSource): void {
    const { readable, stream } = source;
    readable.on("data", (data: Buffer) => {
      this.#frames++;
      if (this.#open.has(source) && !this.push({ stream, data } satisfies StreamFrame)) this.#pause();
    });
    readable.on("end", () => this.#ended(source));
    readable.on("close", () => this.#ended(source));
    // A reset connection to a process that ended is its end.
    readable.on("error", () => this.#ended(source));
  }

  #pause(): void {
    this.#paused = true;
    for (const { readable } of this.#open) readable.pause();
  }

  #ended(source: FrameSource): void {
    if (!this.#open.delete(source)) return;
    source.readable.destroy();
    if (this.#open.size === 0) this.#finish();
  }

  #finish(): void {
    this.#closed.resolve();
    if (!this.destroyed) this.push(null);
  }
}
