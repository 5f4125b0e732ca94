import { createReadStream, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { systemCode } from "@boxship/base";

/**
 * One file of a log: the one that is written, or an older one that was rotated away to `<path>.1`, `<path>.2` …, perhaps
 * compressed (`.gz`). Held open: renaming and removing does not disturb a reader.
 */
export interface LogSegment extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly compressed: boolean;
  /** Device, inode number and time of creation: tells files apart whatever they are called. */
  readonly identity: string;
}

function identityFrom({ dev, ino, birthtimeMs }: Stats): string {
  return `${dev}:${ino}:${Math.floor(birthtimeMs)}`;
}

/** As {@link LogSegment.identity}; undefined when there is no such file. */
export async function identityOf(path: string): Promise<string | undefined> {
  try {
    return identityFrom(await stat(path));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function openSegment(path: string, compressed: boolean): Promise<LogSegment | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  return {
    handle,
    compressed,
    identity: identityFrom(await handle.stat()),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** The file that is being written, or undefined while there is none. */
export async function openCurrent(path: string): Promise<LogSegment | undefined> {
  return openSegment(path, false);
}

/**
 * All files of a log, the oldest first. A rotation meanwhile is harmless: names only ever move to higher numbers, so a
 * file may be met twice, and is taken once, but none is missed.
 */
export async function openSegments(path: string): Promise<readonly LogSegment[]> {
  const found: LogSegment[] = [];
  const seen = new Set<string>();
  try {
    for (let number = 0; ; number++) {
      const name = number === 0 ? path : `${path}.${number}`;
      const segment = (await openSegment(name, false)) ?? (await openSegment(`${name}.gz`, true));
      // A log that is just being rotated has no current file for a moment.
      if (segment === undefined && number > 0) break;
      if (segment === undefined) continue;
      if (seen.has(segment.identity)) await segment[Symbol.asyncDispose]();
      else found.unshift(segment);
      seen.add(segment.identity);
    }
    return found;
  } catch (error) {
    await Promise.all(found.map((segment) => segment[Symbol.asyncDispose]()));
    throw error;
  }
}

/** A piece is worked off in one turn of the event loop: some thousand lines at most. */
const CHUNK = 256 * 1024;

/** The bytes of a file from an offset on, in pieces that stay valid. Uncompressed, whatever the file is. */
export async function* segmentBytes(segment: LogSegment, offset = 0): AsyncGenerator<Buffer> {
  const { handle, compressed } = segment;
  if (compressed) {
    const raw = createReadStream("", { fd: handle, autoClose: false, start: 0 });
    yield* raw.pipe(createGunzip()) as AsyncIterable<Buffer>;
    return;
  }
  for (let position = offset; ; ) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(CHUNK), position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
