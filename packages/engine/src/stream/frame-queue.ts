import type { OutputFrame } from "../engine-api.ts";

/** Bytes that may wait for a slow reader before the writer is asked to pause. */
const HIGH_WATER = 256 * 1024;

/**
 * Frames on their way from a process to one reader. The writer learns from {@link FrameQueue.push} when to pause, and by
 * `onDrain` when to go on.
 */
export class FrameQueue implements AsyncIterable<OutputFrame> {
  readonly #frames: OutputFrame[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  onDrain: (() => void) | undefined;

  /** @returns false when the writer should pause */
  push(frame: OutputFrame): boolean {
    if (this.#ended) return true;
    this.#frames.push(frame);
    this.#bytes += frame.data.length;
    this.#wake?.();
    return this.#bytes < HIGH_WATER;
  }

  /** No more frames; what is queued is still read. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** As {@link end}, and what is queued is dropped. */
  abandon(): void {
    this.#frames.length = 0;
    this.#bytes = 0;
    this.end();
    this.onDrain?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<OutputFrame> {
    try {
      for (;;) {
        const frame = this.#frames.shift();
        if (frame !== undefined) {
          const wasFull = this.#bytes >= HIGH_WATER;
          this.#bytes -= frame.data.length;
          if (wasFull && this.#bytes < HIGH_WATER) this.onDrain?.();
          yield frame;
        } else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.abandon();
    }
  }
}
