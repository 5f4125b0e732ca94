import { basename, dirname } from "node:path";
import { InotifyMask, watchDirectory } from "@boxship/kernel";
import { LogBlock } from "./log-block.ts";
import type { LogEntry } from "./log-line.ts";
import { findSince, findTail, LineGatherer, type TailPosition } from "./log-position.ts";
import { type LogSegment, openCurrent, openSegments, segmentBytes } from "./log-segments.ts";

export interface ReadLogOptions {
  /** The file that is written; rotated ones are `<path>.1` and so on. */
  readonly path: string;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Milliseconds since the epoch, with fractions; entries of that time are included. */
  readonly since?: number;
  /** As {@link since}; reading ends at the first entry that is younger. */
  readonly until?: number;
  /** Only the last lines. @default all */
  readonly tail?: number;
  /** Go on with what is written until this resolves; what is there then is still read. @default end at the end */
  readonly follow?: Promise<unknown>;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/**
 * A container's log in order, over all of its files; a log that does not exist is empty. Following survives rotation:
 * nothing is left out and nothing comes twice.
 */
export async function* readLogBlocks(options: ReadLogOptions): AsyncGenerator<LogBlock> {
  const { signal, stdout, stderr, since = -Infinity, until = Infinity } = options;
  const anyTime = since === -Infinity && until === Infinity;
  const wanted = (entry: LogEntry) =>
    options[entry.stream] && entry.milliseconds >= since && entry.milliseconds <= until;
  for await (const { bytes } of logChunks(options, wanted)) {
    if (signal?.aborted) return;
    const block = new LogBlock(bytes);
    let over = false;
    if (!stdout || !stderr) block.keep((index) => (block.isStderr(index) ? stderr : stdout));
    if (!anyTime) {
      block.keep((index) => {
        const time = block.milliseconds(index);
        over ||= time > until;
        return !over && time >= since;
      });
    }
    if (block.length > 0) yield block;
    if (over) return;
  }
}

/** As {@link readLogBlocks}, entry by entry. */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<LogEntry> {
  for await (const block of readLogBlocks(options)) {
    for (let index = 0; index < block.length; index++) {
      if (options.signal?.aborted) return;
      yield block.entry(index);
    }
  }
}

/** A place in a log, at the end of a line. */
export interface LogPosition {
  /** Which file, whatever it is called by now: see `LogSegment.identity`. */
  readonly identity: string;
  /** Bytes into it. */
  readonly offset: number;
}

/** Whole lines, and the place where they end. */
interface LogChunk extends LogPosition {
  readonly bytes: Buffer;
}

/**
 * Follows a log from a place on: as {@link readLogBlocks} with `follow`, and tells with each block where it ends. Files
 * that were compressed since are not read; from a place that is no longer there it begins with the oldest that is.
 */
export async function* followLog(options: {
  readonly path: string;
  readonly from?: LogPosition;
  readonly follow: Promise<unknown>;
  readonly signal?: AbortSignal;
  /** Told the identity of each file that is done with. */
  readonly onPassed?: (identity: string) => void;
}): AsyncGenerator<{ readonly block: LogBlock; readonly position: LogPosition }> {
  const { from, onPassed, ...rest } = options;
  const reading = { ...rest, stdout: true, stderr: true };
  let current: string | undefined;
  for await (const { bytes, identity, offset } of logChunks(reading, undefined, from)) {
    if (current !== undefined && current !== identity) onPassed?.(current);
    current = identity;
    yield { block: new LogBlock(bytes), position: { identity, offset } };
  }
}

/**
 * Where to go on so that at most `limit` bytes of a log are left to be read.
 *
 * @returns undefined when it is not more than that; the place may be within a line
 */
export async function placeBeforeEnd(
  path: string,
  from: LogPosition,
  limit: number,
): Promise<{ readonly position: LogPosition; readonly skipped: number } | undefined> {
  await using owned = new AsyncDisposableStack();
  const segments = await openSegments(path);
  for (const segment of segments) owned.use(segment);
  const first = segments.findIndex(({ identity }) => identity === from.identity);
  let left = limit;
  let place: LogPosition | undefined;
  let skipped = 0;
  for (let index = segments.length - 1; index >= Math.max(first, 0); index--) {
    const segment = segments[index];
    if (segment === undefined || segment.compressed) continue;
    const { size } = await segment.handle.stat();
    const start = index === first ? from.offset : 0;
    const waiting = Math.max(0, size - start);
    if (place !== undefined) skipped += waiting;
    else if (waiting > left) {
      place = { identity: segment.identity, offset: size - left };
      skipped = waiting - left;
    } else left -= waiting;
  }
  return place === undefined ? undefined : { position: place, skipped };
}

async function* logChunks(
  options: ReadLogOptions,
  wanted: ((entry: LogEntry) => boolean) | undefined,
  from?: LogPosition,
): AsyncGenerator<LogChunk> {
  const { path, follow, tail, since } = options;
  await using watcher = follow === undefined ? undefined : new LogWatcher(path, follow, options.signal);
  await using owned = new AsyncDisposableStack();
  const segments = await openSegments(path);
  for (const segment of segments) owned.use(segment);
  await watcher?.begin(segments.at(-1));
  const begin =
    tail === undefined || wanted === undefined
      ? beginAt(segments, from)
      : await findTail(segments, Math.max(0, Math.trunc(tail)), wanted);
  for (const [index, segment] of segments.entries()) {
    if (index < begin.segment) continue;
    const offset = index === begin.segment ? begin.offset : 0;
    const isLast = index === segments.length - 1;
    if (watcher !== undefined && isLast && !segment.compressed) {
      yield* followChunks(watcher, segment, offset, owned);
      return;
    }
    if (!segment.compressed) yield* plainChunks(segment, offset, since);
    else if (wanted !== undefined) yield* compressedChunks(segment, offset);
  }
  // Nothing has been written yet.
  if (watcher !== undefined) yield* followChunks(watcher, undefined, 0, owned);
}

function beginAt(segments: readonly LogSegment[], from: LogPosition | undefined): TailPosition {
  const segment = segments.findIndex(({ identity }) => identity === from?.identity);
  return from === undefined || segment === -1 ? { segment: 0, offset: 0 } : { segment, offset: from.offset };
}

async function* plainChunks(segment: LogSegment, offset: number, since: number | undefined): AsyncGenerator<LogChunk> {
  const start = since === undefined || offset > 0 ? offset : await findSince(segment.handle, since);
  yield* wholeLines(segmentBytes(segment, start), segment.identity, start);
}

/** Lines of a compressed file from an offset in its content on, which is the start of a line. */
async function* compressedChunks(segment: LogSegment, offset: number): AsyncGenerator<LogChunk> {
  for await (const chunk of wholeLines(segmentBytes(segment), segment.identity, 0)) {
    const skipped = offset - (chunk.offset - chunk.bytes.length);
    if (skipped <= 0) yield chunk;
    else if (skipped < chunk.bytes.length) yield { ...chunk, bytes: chunk.bytes.subarray(skipped) };
  }
}

/** What is written as it comes, in the current file and those that take its place when it is rotated away. */
async function* followChunks(
  watcher: LogWatcher,
  first: LogSegment | undefined,
  offset: number,
  owned: AsyncDisposableStack,
): AsyncGenerator<LogChunk> {
  let segment = first;
  let lines = new LineGatherer(offset);
  for (;;) {
    // Asked before reading: what is written until it says so is then read below.
    const over = watcher.over;
    if (over) await watcher.capture();
    // Its writer has left the old file by now, so that what is read of that below is all of it.
    const next = watcher.take();
    if (segment !== undefined) {
      // Somebody has emptied it by hand: what its writer appends begins anew.
      if (lines.position > 0 && (await segment.handle.stat()).size < lines.position) lines = new LineGatherer(0);
      for await (const chunk of segmentBytes(segment, lines.position)) {
        const bytes = lines.add(chunk);
        if (bytes !== undefined) yield { bytes, identity: segment.identity, offset: lines.offset };
      }
    }
    if (next !== undefined) {
      await segment?.[Symbol.asyncDispose]();
      segment = owned.use(next);
      lines = new LineGatherer(0);
    } else if (over) return;
    else await watcher.changed();
  }
}

async function* wholeLines(chunks: AsyncIterable<Buffer>, identity: string, start: number): AsyncGenerator<LogChunk> {
  const lines = new LineGatherer(start);
  for await (const chunk of chunks) {
    const bytes = lines.add(chunk);
    if (bytes !== undefined) yield { bytes, identity, offset: lines.offset };
  }
}

/** A reader that is more files behind misses the oldest of them. Files that are removed meanwhile still take space. */
const MOST_WAITING = 10;

/**
 * Wakes a reader when something happens to a log, or when there will be no more. Files that take the log's place are
 * opened at once, however slow the reader is: it misses none that is rotated away again before it gets there.
 */
class LogWatcher implements AsyncDisposable {
  readonly path: string;
  readonly #watch: ReturnType<typeof watchDirectory>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#end();
  readonly #waiting: LogSegment[] = [];
  #newest: string | undefined;
  #capturing: Promise<void> = Promise.resolve();
  #over = false;
  #dirty = false;
  #wake: (() => void) | undefined;

  constructor(path: string, until: Promise<unknown>, signal: AbortSignal | undefined) {
    this.path = path;
    const name = basename(path);
    const appears = InotifyMask.Create | InotifyMask.MovedTo;
    this.#watch = watchDirectory(dirname(path), InotifyMask.Modify | appears, (event) => {
      if (event.kind === "gone") this.#end();
      else if (event.kind === "overflow" || (event.name === name && (event.mask & appears) !== 0)) void this.capture();
      else if (event.name === name) this.#notify();
    });
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted) this.#end();
    until.then(this.#onAbort, this.#onAbort);
  }

  /** Whether there will be no more. */
  get over(): boolean {
    return this.#over;
  }

  /** The last file that the reader knows by itself: what was captured up to it is forgotten. */
  async begin(last: LogSegment | undefined): Promise<void> {
    await this.#capturing;
    const place = this.#waiting.findLastIndex(({ identity }) => identity === last?.identity);
    const known = this.#waiting.splice(0, place === -1 ? this.#waiting.length : place + 1);
    this.#newest = this.#waiting.at(-1)?.identity ?? last?.identity;
    await Promise.all(known.map((segment) => segment[Symbol.asyncDispose]()));
    await this.capture();
  }

  /** Opens the file that is in the log's place, if it is another than the last. Never rejects. */
  capture(): Promise<void> {
    this.#capturing = this.#capturing.then(async () => {
      const found = await openCurrent(this.path).catch(() => undefined);
      if (found === undefined) return;
      if (found.identity === this.#newest) {
        await found[Symbol.asyncDispose]();
      } else {
        this.#newest = found.identity;
        this.#waiting.push(found);
        if (this.#waiting.length > MOST_WAITING) await this.#waiting.shift()?.[Symbol.asyncDispose]();
      }
      this.#notify();
    });
    return this.#capturing;
  }

  /** The next file after the one that is being read; the caller closes it. */
  take(): LogSegment | undefined {
    return this.#waiting.shift();
  }

  /** Resolves once something happened since the last call. */
  async changed(): Promise<void> {
    if (!this.#dirty && !this.#over) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#dirty = false;
  }

  #notify(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  #end(): void {
    this.#over = true;
    this.#notify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#end();
    await this.#watch[Symbol.asyncDispose]();
    await this.#capturing;
    await Promise.all(this.#waiting.splice(0).map((segment) => segment[Symbol.asyncDispose]()));
  }
}
