import type { ByteString } from "./tar/bytes.ts";
import type { TarEntry } from "./tar/entry.ts";
import { TarParser } from "./tar/parser.ts";
import { type TarInput, TarWriter } from "./tar/writer.ts";

export interface RewriteOptions {
  /** Latest modification time, in seconds since the epoch: later ones are set to it. @default unlimited */
  readonly latestMtime?: number | undefined;
  /** Entries for which this is false are left out, as are hard links to them if it says so. @default all stay */
  readonly keep?: (entry: TarEntry) => boolean;
  /** Added at the end; bodies are bytes. @default none */
  readonly append?: readonly (TarInput & { readonly body?: Uint8Array })[];
}

export interface RewriteCounts {
  entries: number;
  /** Bytes of file content. */
  size: number;
}

/**
 * Copies an archive in the form that image layers have: no `./` before names, no user and group names, PAX dialect.
 *
 * @param counts is filled on the way
 */
export async function* rewriteTar(
  source: AsyncIterable<Uint8Array>,
  options: RewriteOptions,
  counts: RewriteCounts,
): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const writer = new TarWriter((piece) => void ready.push(piece));
  let keeping = false;
  const parser = new TarParser({
    entry(entry) {
      keeping = options.keep?.(entry) ?? true;
      if (!keeping) return;
      counts.entries++;
      writer.entry(normalize(entry, options.latestMtime));
    },
    data(chunk) {
      if (!keeping) return;
      counts.size += chunk.length;
      writer.data(chunk);
    },
    end: () => {},
  });
  const take = () => {
    const pieces = ready;
    ready = [];
    return pieces;
  };
  for await (const chunk of source) {
    parser.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    yield* take();
  }
  parser.finish();
  for (const { entry, body } of options.append ?? []) {
    counts.entries++;
    counts.size += entry.size;
    writer.entry(normalize(entry, options.latestMtime));
    if (body !== undefined) writer.data(body);
  }
  writer.finish();
  yield* take();
}

const EMPTY = "" as ByteString;

function normalize(entry: TarEntry, latestMtime: number | undefined): TarEntry {
  const late = latestMtime !== undefined && entry.mtime >= latestMtime;
  const { linkName } = entry;
  return {
    ...entry,
    name: plain(entry.name),
    linkName: entry.type === "link" ? plain(linkName) : linkName,
    mtime: late ? latestMtime : entry.mtime,
    mtimeNanoseconds: late ? 0 : entry.mtimeNanoseconds,
    userName: EMPTY,
    groupName: EMPTY,
  };
}

function plain(name: ByteString): ByteString {
  return name.startsWith("./") ? (name.slice(2) as ByteString) : name;
}
