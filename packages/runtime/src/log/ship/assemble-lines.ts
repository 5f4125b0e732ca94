import { randomBytes } from "node:crypto";
import type { LogBlock } from "../log-block.ts";
import { LONGEST_MESSAGE, type LogMessage, type PartialLine } from "./contract.ts";

/** What has been read of a line whose end has not. */
interface OpenLine {
  text: Buffer;
  time: bigint;
  /** Absent until a piece of the line was sent. */
  id?: string;
  ordinal: number;
}

/** {@link OpenLine} as JSON. */
export interface SavedLine {
  readonly text: string;
  readonly time: string;
  readonly id?: string;
  readonly ordinal: number;
}

export type SavedLines = Readonly<Partial<Record<LogMessage["stream"], SavedLine>>>;

/**
 * Makes lines again of what was written in pieces. A line is sent when it ends; a long one in pieces of
 * {@link LONGEST_MESSAGE} bytes.
 */
export class LineAssembler {
  readonly #open = new Map<LogMessage["stream"], OpenLine>();

  /** @param saved from {@link save} */
  constructor(saved: SavedLines = {}) {
    for (const stream of ["stdout", "stderr"] as const) {
      const line = saved[stream];
      if (line === undefined) continue;
      this.#open.set(stream, { ...line, text: Buffer.from(line.text, "base64"), time: BigInt(line.time) });
    }
  }

  /** What is needed to go on in another process. */
  save(): SavedLines {
    const lines = [...this.#open].map(([stream, { text, time, ...rest }]) => [
      stream,
      { ...rest, text: text.toString("base64"), time: String(time) },
    ]);
    return Object.fromEntries(lines) as SavedLines;
  }

  /** The messages that are complete with an entry of a block. */
  add(block: LogBlock, index: number): readonly LogMessage[] {
    const stream = block.isStderr(index) ? "stderr" : "stdout";
    const complete = block.isComplete(index);
    const time = nanoseconds(block.time(index));
    const text = block.bytes.subarray(block.dataStart(index), block.dataEnd(index) - (complete ? 1 : 0));
    const open = this.#open.get(stream);
    if (open === undefined && complete && text.length < LONGEST_MESSAGE) return [{ stream, time, text }];
    return this.#extend(stream, open ?? { text: Buffer.alloc(0), time, ordinal: 0 }, { text, time, complete });
  }

  /** Lines that will not be ended any more. */
  flush(): readonly LogMessage[] {
    const rest = [...this.#open].filter(([, { text }]) => text.length > 0);
    this.#open.clear();
    return rest.map(([stream, line]) => ({
      stream,
      time: line.time,
      text: line.text,
      partial: nextPiece(line, false),
    }));
  }

  #extend(
    stream: LogMessage["stream"],
    line: OpenLine,
    { text, time, complete }: { readonly text: Buffer; readonly time: bigint; readonly complete: boolean },
  ): readonly LogMessage[] {
    const messages: LogMessage[] = [];
    let all = line.text.length === 0 ? text : Buffer.concat([line.text, text]);
    // Pieces of a line share the time of the first; a line in one piece has that of its end.
    if (line.id === undefined) line.time = time;
    while (all.length >= LONGEST_MESSAGE) {
      const piece = all.subarray(0, LONGEST_MESSAGE);
      messages.push({ stream, time: line.time, text: piece, partial: nextPiece(line, false) });
      all = all.subarray(LONGEST_MESSAGE);
    }
    if (complete) {
      const partial = line.id === undefined ? {} : { partial: nextPiece(line, true) };
      messages.push({ stream, time: line.time, text: all, ...partial });
      this.#open.delete(stream);
    } else {
      line.text = Buffer.from(all);
      this.#open.set(stream, line);
    }
    return messages;
  }
}

function nextPiece(line: OpenLine, last: boolean): PartialLine {
  line.id ??= randomBytes(32).toString("hex");
  line.ordinal++;
  return { id: line.id, ordinal: line.ordinal, last };
}

// Lines of one second share all but their fraction; parsing dates is what costs.
let lastSecond = "";
let lastSeconds = 0n;

/** @param time RFC 3339 in UTC with nine digits of a second */
function nanoseconds(time: string): bigint {
  const second = time.slice(0, 19);
  if (second !== lastSecond) {
    lastSeconds = BigInt(Date.parse(`${second}Z`)) * 1_000_000n;
    lastSecond = second;
  }
  return lastSeconds + BigInt(time.slice(20, 29));
}
