import { closeSync, openSync, readSync } from "node:fs";
import { InvalidArgument, Unavailable } from "@boxship/base/errors";

const PIECE = 256 * 1024;
const WRITTEN = 0;
const STATE = 1;
const COMPLETE = 1n;
const FAILED = 2n;

/**
 * How far a blob file has been written, shared between the thread that downloads it and the worker that unpacks it
 * meanwhile.
 *
 * The writer calls {@link advance} after each write (bytes below the mark must not change any more), and `complete` or
 * `fail` once.
 */
export class BlobProgress {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  /** @param buffer of the same progress in another thread. @default a new one */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.buffer = buffer;
    this.#words = new BigInt64Array(buffer);
  }

  /** Says that the first `size` bytes of the file are final. */
  advance(size: number): void {
    Atomics.store(this.#words, WRITTEN, BigInt(size));
    Atomics.notify(this.#words, WRITTEN);
  }

  /** Says that nothing more comes. */
  complete(): void {
    this.#finish(COMPLETE);
  }

  /** Says that the rest will never come; unpacking fails with `Unavailable`. */
  fail(): void {
    this.#finish(FAILED);
  }

  #finish(state: bigint): void {
    Atomics.store(this.#words, STATE, state);
    // A waiter sleeps on the byte count, so that must change for it to look at the state.
    Atomics.add(this.#words, WRITTEN, 1n << 62n);
    Atomics.notify(this.#words, WRITTEN);
  }

  /**
   * Waits until more than `position` bytes are there.
   *
   * @returns the bytes that are there, or "complete" when the file is all there
   */
  async beyond(position: number, cancelFlag: Int32Array): Promise<number | "complete"> {
    for (;;) {
      const state = Atomics.load(this.#words, STATE);
      if (state === FAILED) throw new Unavailable("the download of the blob failed");
      if (state === COMPLETE) return "complete";
      if (Atomics.load(cancelFlag, 0) === 1) return position;
      const written = Atomics.load(this.#words, WRITTEN);
      if (written > BigInt(position)) return Number(written);
      // Woken by writes; now and then to notice that the task was cancelled.
      const wait = Atomics.waitAsync(this.#words, WRITTEN, written, 500);
      if (wait.async) await wait.value;
    }
  }
}

export interface BlobSource {
  readonly path: string;
  readonly progress: BlobProgress | undefined;
  readonly cancelFlag: Int32Array;
}

/** The bytes of a blob file, which may still be growing. */
export async function* readBlob(source: BlobSource): AsyncGenerator<Buffer> {
  const { path, progress, cancelFlag } = source;
  const file = openSync(path, "r");
  try {
    let position = 0;
    let available: number | "complete" = progress === undefined ? "complete" : 0;
    for (;;) {
      if (Atomics.load(cancelFlag, 0) === 1) throw new InvalidArgument("the task was cancelled");
      if (progress !== undefined && available !== "complete" && position >= available) {
        available = await progress.beyond(position, cancelFlag);
        continue;
      }
      const wanted = available === "complete" ? PIECE : Math.min(PIECE, available - position);
      // The decoder keeps the piece until its thread is done with it, so it is not reused.
      const piece = Buffer.allocUnsafeSlow(wanted);
      const length = readSync(file, piece, 0, wanted, position);
      if (length === 0) return;
      position += length;
      yield length === wanted ? piece : piece.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
