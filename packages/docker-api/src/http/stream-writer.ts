import type { Writable } from "node:stream";

/** What is gathered before it is written at once. */
const FLUSH_BYTES = 64 << 10;

/**
 * Writes many small pieces to a slow reader: what is pushed first in a turn of the event loop goes out at once, what
 * follows in the same turn as one write at its end, and the producer is told when to wait. It never buffers more than the
 * target's own high-water mark plus one flush.
 */
export class StreamWriter {
  readonly #target: Writable;
  readonly #onDrain = () => this.#release();
  #pieces: Buffer[] = [];
  #bytes = 0;
  #scheduled = false;
  #drained: Promise<void> | undefined;
  #resume: (() => void) | undefined;

  constructor(target: Writable) {
    this.#target = target;
    target.once("close", this.#onDrain);
    target.on("drain", this.#onDrain);
  }

  /** The reader is gone; whatever is pushed now is dropped. */
  get closed(): boolean {
    return this.#target.destroyed || this.#target.writableEnded;
  }

  /** @returns a promise when the reader is behind: wait for it before pushing more */
  push(...pieces: readonly Buffer[]): Promise<void> | undefined {
    if (this.closed) return undefined;
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#bytes >= FLUSH_BYTES) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      this.flush();
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
    return this.#drained;
  }

  /** Hands over what was gathered. */
  flush(): void {
    const first = this.#pieces[0];
    if (first === undefined || this.closed) return;
    const data = this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    if (!this.#target.write(data) && this.#drained === undefined) {
      this.#drained = new Promise((resolve) => {
        this.#resume = resolve;
      });
    }
  }

  /** Flushes and ends the target. */
  end(): void {
    if (this.closed) return;
    this.flush();
    this.#target.off("drain", this.#onDrain);
    this.#target.end();
  }

  #release(): void {
    const resume = this.#resume;
    this.#drained = undefined;
    this.#resume = undefined;
    resume?.();
  }
}
