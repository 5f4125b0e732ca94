import type { TarEntry } from "./entry.ts";
import { type TarLimits, TarParser } from "./parser.ts";

/** One member of an archive that is being read. */
export interface TarMember {
  readonly entry: TarEntry;
  /**
   * The content with holes filled by zeros. Must be consumed before the next member is asked for; what is left unread
   * is skipped.
   */
  readonly body: AsyncIterable<Buffer>;
}

type Event =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "data"; readonly chunk: Buffer; readonly offset: number }
  | { readonly kind: "end"; readonly entry: TarEntry };

const HOLE = 64 * 1024;

/** Reads an archive member by member; see {@link TarParser} for dialects and errors. */
export async function* readTar(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limits?: TarLimits,
): AsyncGenerator<TarMember> {
  const events = readEvents(source, limits);
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) {
      const event = next.value;
      if (event.kind !== "entry") continue;
      let ended = false;
      const body = readBody(events, () => {
        ended = true;
      });
      yield { entry: event.entry, body };
      while (!ended) {
        const rest = await events.next();
        ended = rest.done === true || rest.value.kind === "end";
      }
    }
  } finally {
    await events.return(undefined);
  }
}

async function* readBody(events: AsyncGenerator<Event, void>, onEnd: () => void): AsyncGenerator<Buffer> {
  let position = 0;
  for (let next = await events.next(); !next.done; next = await events.next()) {
    const event = next.value;
    if (event.kind === "end") {
      onEnd();
      yield* hole(event.entry.size - position);
      return;
    }
    if (event.kind === "data") {
      yield* hole(event.offset - position);
      yield event.chunk;
      position = event.offset + event.chunk.length;
    }
  }
}

function* hole(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= HOLE) yield Buffer.alloc(Math.min(HOLE, left));
}

async function* readEvents(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limits?: TarLimits,
): AsyncGenerator<Event, void> {
  let queue: Event[] = [];
  const parser = new TarParser(
    {
      entry: (entry) => void queue.push({ kind: "entry", entry }),
      data: (chunk, offset) => void queue.push({ kind: "data", chunk, offset }),
      end: (entry) => void queue.push({ kind: "end", entry }),
    },
    limits,
  );
  for await (const chunk of source) {
    parser.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const ready = queue;
    queue = [];
    yield* ready;
  }
  parser.finish();
}
