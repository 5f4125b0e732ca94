import type { LogBlock } from "@boxship/engine";

export interface LogFramerOptions {
  /** A frame with a header for each entry; without, the output as it is. */
  readonly framed: boolean;
  /** The time before each line. */
  readonly timestamps: boolean;
  /** What stands before each line, after the time. @default nothing at all */
  readonly details?: string;
}

const HEADER = 8;

/** Writes a log as it is sent. What stands before a line comes once, however many entries the line is made of. */
export class LogFramer {
  readonly #framed: boolean;
  readonly #timestamps: boolean;
  readonly #details: Buffer;
  /** Whether the last entry of a stream was only a part of a line. */
  #stdoutOpen = false;
  #stderrOpen = false;

  constructor({ framed, timestamps, details }: LogFramerOptions) {
    this.#framed = framed;
    this.#timestamps = timestamps;
    this.#details = Buffer.from(details === undefined ? "" : `${details} `);
  }

  frame(block: LogBlock): Buffer {
    const { bytes, length } = block;
    const prefix = this.#timestamps ? TIME_LENGTH + this.#details.length : this.#details.length;
    const overhead = (this.#framed ? HEADER : 0) + prefix;
    const target = Buffer.allocUnsafe(bytes.length + length * overhead);
    let at = 0;
    for (let index = 0; index < length; index++) {
      const start = block.dataStart(index);
      const end = block.dataEnd(index);
      const stderr = block.isStderr(index);
      const before = prefix > 0 && !(stderr ? this.#stderrOpen : this.#stdoutOpen) ? prefix : 0;
      if (this.#framed) {
        target.writeInt32LE(stderr ? 2 : 1, at);
        target.writeInt32BE(end - start + before, at + 4);
        at += HEADER;
      }
      if (before > 0) at = this.#writePrefix(block, index, target, at);
      at += bytes.copy(target, at, start, end);
      if (prefix === 0) continue;
      if (stderr) this.#stderrOpen = !block.isComplete(index);
      else this.#stdoutOpen = !block.isComplete(index);
    }
    return target.subarray(0, at);
  }

  #writePrefix(block: LogBlock, index: number, target: Buffer, at: number): number {
    const timeEnd = this.#timestamps ? at + target.write(`${block.time(index)} `, at, "latin1") : at;
    return timeEnd + this.#details.copy(target, timeEnd);
  }
}

/** `2026-01-02T03:04:05.678901234Z` and a space. */
const TIME_LENGTH = 31;
