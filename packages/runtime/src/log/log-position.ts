import type { FileHandle } from "node:fs/promises";
import { type LogEntry, parseLogLine } from "./log-line.ts";
import { type LogSegment, segmentBytes } from "./log-segments.ts";

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

/** Cuts a stream of bytes after its newlines. What follows the last one is kept for the next piece. */
export class LineGatherer {
  /** Bytes that were added in all, counted from where the stream began. */
  position: number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param position where in its file the stream begins */
  constructor(position: number) {
    this.position = position;
  }

  /** Where the last whole line ends. */
  get offset(): number {
    return this.position - this.#rest.length;
  }

  /** @returns the whole lines that there are now, if any */
  add(chunk: Buffer): Buffer | undefined {
    this.position += chunk.length;
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return undefined;
    }
    const whole = chunk.subarray(0, end);
    const lines = this.#rest.length === 0 ? whole : Buffer.concat([this.#rest, whole]);
    this.#rest = chunk.subarray(end);
    return lines;
  }
}

/** Lines of a stream of bytes, without their newlines. What follows the last newline is given up. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Buffer[]> {
  const gatherer = new LineGatherer(0);
  for await (const chunk of chunks) {
    const bytes = gatherer.add(chunk);
    if (bytes === undefined) continue;
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(bytes.subarray(start, end));
      start = end + 1;
    }
    yield lines;
  }
}

/** Where reading has to begin so that the last `wanted` lines of output are read. */
export interface TailPosition {
  readonly segment: number;
  /** Bytes into the file; for a compressed one, into what is in it. */
  readonly offset: number;
}

/**
 * Looks backwards from the end, so that the cost is that of the lines asked for, not of the whole log.
 *
 * @param matches which entries count
 */
export async function findTail(
  segments: readonly LogSegment[],
  wanted: number,
  matches: (entry: LogEntry) => boolean,
): Promise<TailPosition> {
  const counter = new LineCounter(wanted, matches);
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index];
    if (segment === undefined) continue;
    const offset = segment.compressed
      ? await tailOfCompressed(segment, counter)
      : await tailOfPlain(segment.handle, counter);
    if (offset !== undefined) return { segment: index, offset };
  }
  return { segment: 0, offset: 0 };
}

/** Counts lines of output from the last to the first. The end of the log may lack the end of its last line. */
class LineCounter {
  #left: number;
  #begun = false;
  readonly #matches: (entry: LogEntry) => boolean;

  constructor(wanted: number, matches: (entry: LogEntry) => boolean) {
    this.#left = wanted;
    this.#matches = matches;
  }

  /** Whether this line is before the first that is wanted. Lines are given backwards. */
  isPast(line: Buffer): boolean {
    const entry = parseLogLine(line);
    if (entry === undefined || !this.#matches(entry)) return false;
    if (entry.complete || !this.#begun) {
      if (this.#left === 0) return true;
      this.#left--;
    }
    this.#begun = true;
    return false;
  }
}

async function tailOfPlain(handle: FileHandle, counter: LineCounter): Promise<number | undefined> {
  let end = (await handle.stat()).size;
  /** Bytes of the line whose beginning has not been read yet. */
  let open: Buffer = Buffer.alloc(0);
  let atEnd = true;
  while (end > 0) {
    const start = Math.max(0, end - BLOCK);
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(end - start), position: start });
    const bytes = Buffer.concat([buffer.subarray(0, bytesRead), open]);
    let lineEnd = bytes.length;
    for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)) {
      // What follows the last newline of the file is a line that is still being written.
      if (!atEnd && counter.isPast(bytes.subarray(at + 1, lineEnd))) return start + lineEnd + 1;
      atEnd = false;
      lineEnd = at;
    }
    open = bytes.subarray(0, lineEnd);
    end = start;
  }
  return !atEnd && counter.isPast(open) ? open.length + 1 : undefined;
}

async function tailOfCompressed(segment: LogSegment, counter: LineCounter): Promise<number | undefined> {
  // Rotated files are limited in size: their lines fit in memory one at a time, their offsets do in any case.
  const offsets: number[] = [];
  const lines: Buffer[] = [];
  let offset = 0;
  for await (const batch of splitLines(segmentBytes(segment))) {
    for (const line of batch) {
      offsets.push(offset);
      lines.push(Buffer.from(line));
      offset += line.length + 1;
    }
  }
  for (let index = lines.length - 1; index >= 0; index--) {
    const line = lines[index];
    if (line !== undefined && counter.isPast(line)) return (offsets[index] ?? 0) + line.length + 1;
  }
  return undefined;
}

/** An offset shortly before the first entry that is not older than `since`: entries are in the order of their time. */
export async function findSince(handle: FileHandle, since: number): Promise<number> {
  let low = 0;
  let high = (await handle.stat()).size;
  while (high - low > BLOCK) {
    const middle = Math.floor((low + high) / 2);
    const found = await firstEntryAfter(handle, middle);
    if (found === undefined || found.entry.milliseconds >= since) high = middle;
    else low = found.offset;
  }
  return low;
}

async function firstEntryAfter(
  handle: FileHandle,
  offset: number,
): Promise<{ readonly entry: LogEntry; readonly offset: number } | undefined> {
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(BLOCK), position: offset });
  const bytes = buffer.subarray(0, bytesRead);
  for (let start = bytes.indexOf(NEWLINE) + 1; start > 0; ) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0) return undefined;
    const entry = parseLogLine(bytes.subarray(start, end));
    if (entry !== undefined) return { entry, offset: offset + start };
    start = end + 1;
  }
  return undefined;
}
