import { basename, dirname } from "node:path";
import { InotifyMask, watchDirectory } from "@boxship/kernel";
import { type LogEntry, parseLogLine } from "./log-line.ts";
import { findSince, findTail, splitLines } from "./log-position.ts";
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
 * The entries of a container's log in order, over all of its files; a log that does not exist is empty. Following
 * survives rotation: nothing is left out and nothing comes twice.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<LogEntry> {
  const { signal, since = -Infinity, until = Infinity } = options;
  const wanted = (entry: LogEntry) =>
    options[entry.stream] && entry.milliseconds >= since && entry.milliseconds <= until;
  for await (const batch of logLines(options, wanted)) {
    for (const line of batch) {
      if (signal?.aborted) return;
      const entry = parseLogLine(line);
      if (entry === undefined) continue;
      if (entry.milliseconds > until) return;
      if (wanted(entry)) yield entry;
    }
  }
}

async function* logLines(
  options: ReadLogOptions,
  wanted: (entry: LogEntry) => boolean,
): AsyncGenerator<readonly Buffer[]> {
  const { path, follow, tail, since } = options;
  await using watcher = follow === undefined ? undefined : new LogWatcher(path, follow, options.signal);
  await using owned = new AsyncDisposableStack();
  const segments = await openSegments(path);
  for (const segment of segments) owned.use(segment);
  await watcher?.begin(segments.at(-1));
  const begin =
    tail === undefined ? { segment: 0, offset: 0 } : await findTail(segments, Math.max(0, Math.trunc(tail)), wanted);
  for (const [index, segment] of segments.entries()) {
    if (index < begin.segment) continue;
    const offset = index === begin.segment ? begin.offset : 0;
    const isLast = index === segments.length - 1;
    if (watcher !== undefined && isLast && !segment.compressed) {
      yield* splitLines(followBytes(watcher, segment, offset, owned));
      return;
    }
    yield* segment.compressed ? skipBytes(segment, offset) : plainLines(segment, offset, since);
  }
  // Nothing has been written yet.
  if (watcher !== undefined) yield* splitLines(followBytes(watcher, undefined, 0, owned));
}

async function* plainLines(
  segment: LogSegment,
  offset: number,
  since: number | undefined,
): AsyncGenerator<readonly Buffer[]> {
  const start = since === undefined || offset > 0 ? offset : await findSince(segment.handle, since);
  yield* splitLines(segmentBytes(segment, start));
}

/** Lines of a compressed file from an offset in its content on, which is the start of a line. */
async function* skipBytes(segment: LogSegment, offset: number): AsyncGenerator<readonly Buffer[]> {
  let position = 0;
  for await (const batch of splitLines(segmentBytes(segment))) {
    yield batch.filter((line) => {
      const start = position;
      position += line.length + 1;
      return start >= offset;
    });
  }
}

/** The bytes of the current file as they come, and those of its successors when it is rotated away. */
async function* followBytes(
  watcher: LogWatcher,
  first: LogSegment | undefined,
  offset: number,
  owned: AsyncDisposableStack,
): AsyncGenerator<Buffer> {
  let segment = first;
  let position = offset;
  for (;;) {
    // Asked before reading: what is written until it says so is then read below.
    const over = watcher.over;
    if (over) await watcher.capture();
    // Its writer has left the old file by now, so that what is read of that below is all of it.
    const next = watcher.take();
    if (segment !== undefined) {
      for await (const chunk of segmentBytes(segment, position)) {
        position += chunk.length;
        yield chunk;
      }
    }
    if (next !== undefined) {
      await segment?.[Symbol.asyncDispose]();
      segment = owned.use(next);
      position = 0;
    } else if (over) return;
    else await watcher.changed();
  }
}

/** A reader this many files behind is given up on: it misses the oldest of them. */
const MOST_WAITING = 100;

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
      if (found.identity === this.#newest || this.#waiting.length === MOST_WAITING) {
        await found[Symbol.asyncDispose]();
      } else {
        this.#newest = found.identity;
        this.#waiting.push(found);
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
