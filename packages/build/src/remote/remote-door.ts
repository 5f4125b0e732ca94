import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asBoxshipError, InvalidArgument } from "@boxship/base";
import { extractArchive, releaseBytes } from "@boxship/oci";
import { removeTreeAway } from "@boxship/storage";
import { directoryStore } from "../cache/cache-store.ts";
import type {
  BuildRequest,
  CacheExport,
  CacheImport,
  CacheSink,
  CacheStore,
  ContextSource,
  Output,
  Solver,
} from "../contract.ts";
import { madeInside } from "../files/directory-inside.ts";
import { failureOf } from "../solver/failure.ts";
import type { AskedStreams } from "./asked-streams.ts";
import { FramedArchive } from "./framed-archive.ts";
import type {
  RemoteBuild,
  RemoteCacheExport,
  RemoteCacheImport,
  RemoteContext,
  RemoteMessage,
  RemoteOutput,
} from "./remote-build.ts";

const LARGEST_HEAD = 32 << 20;

/**
 * Serves one `POST /boxship/build`. Throws only while nothing was written.
 *
 * @param directory where files of contexts are unpacked, in a directory that is removed afterwards
 */
export async function remoteBuild(
  solver: Solver,
  body: AsyncIterable<Uint8Array>,
  write: (message: RemoteMessage) => Promise<void> | undefined,
  options: { readonly directory: string; readonly signal: AbortSignal; readonly streams: AskedStreams },
): Promise<void> {
  const { head, rest } = await readHead(body);
  const path = join(options.directory, randomBytes(8).toString("hex"));
  await mkdir(path, { recursive: true, mode: 0o700 });
  try {
    const build = head as RemoteBuild;
    const files = new SentFiles(path, rest, options.signal, build.context.kind === "archive");
    const request = requestOf(build, files, write, options.streams);
    if (build.call !== undefined) {
      await write({ call: await solver.call(request, build.call, options.signal) });
      return;
    }
    const result = await solver.build(request, (event) => write({ event: jsonEvent(event) }), options.signal);
    const { imageId, descriptor, metadata, warnings } = result;
    await write({
      result: {
        ...(imageId === undefined ? {} : { imageId }),
        ...(descriptor === undefined ? {} : { digest: descriptor.digest }),
        metadata,
        warnings,
      },
    });
  } catch (error) {
    if (options.signal.aborted) throw error;
    const { message, remedy } = asBoxshipError(error);
    const failure = failureOf(error);
    const more = { ...(remedy === undefined ? {} : { remedy }), ...(failure === undefined ? {} : { failure }) };
    await write({ error: { message, ...more } });
  } finally {
    await removeTreeAway(path);
  }
}

function jsonEvent(event: object): unknown {
  return "data" in event && event.data instanceof Buffer ? { ...event, data: event.data.toString("base64") } : event;
}

/** Reads the JSON text at the beginning of a body, and gives what follows it. The caller knows what it has to be. */
export async function readHead(
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: unknown; readonly rest: AsyncIterable<Uint8Array> }> {
  const iterator = body[Symbol.asyncIterator]();
  let bytes = Buffer.alloc(0);
  const need = async (count: number) => {
    while (bytes.length < count) {
      const next = await iterator.next();
      if (next.done === true) throw new InvalidArgument("the build request ends before its beginning is complete");
      bytes = Buffer.concat([bytes, next.value]);
    }
  };
  await need(4);
  const length = bytes.readUInt32BE(0);
  if (length > LARGEST_HEAD) throw new InvalidArgument(`the build request has ${length} bytes, too many`);
  await need(4 + length);
  const text = bytes.subarray(4, 4 + length).toString("utf8");
  const left = bytes.subarray(4 + length);
  async function* rest(): AsyncGenerator<Uint8Array> {
    if (left.length > 0) yield left;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  }
  try {
    return { head: JSON.parse(text) as unknown, rest: rest() };
  } catch (error) {
    throw new InvalidArgument("the build request is not JSON", { cause: error });
  }
}

/** The files that came along, unpacked when the first context is opened. */
export class SentFiles {
  readonly #path: string;
  readonly #stream: AsyncIterable<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #archive: boolean;
  #unpacked: Promise<void> | undefined;

  /** @param archive the main context's own archive comes first */
  constructor(path: string, stream: AsyncIterable<Uint8Array>, signal: AbortSignal, archive = false) {
    this.#archive = archive;
    this.#path = path;
    this.#stream = stream;
    this.#signal = signal;
  }

  source(directory: string): ContextSource {
    return {
      kind: "provider",
      open: async () => ({ path: await this.#open(directory), [Symbol.asyncDispose]: () => Promise.resolve() }),
    };
  }

  /** A cache among the files. */
  cache(directory: string, options: { readonly digest?: string; readonly tag?: string }): CacheStore {
    const opened = async () => directoryStore(await this.#open(directory), options);
    return {
      root: async () => (await opened()).root(),
      read: async function* (digest, signal) {
        yield* (await opened()).read(digest, signal);
      },
    };
  }

  async #unpack(): Promise<void> {
    let rest = this.#stream;
    if (this.#archive) {
      const archive = new FramedArchive(this.#stream);
      await mkdir(join(this.#path, "main"));
      await extractArchive(join(this.#path, "main"), "/", archive.pieces(), {}, this.#signal);
      // What stands behind the end of the archive itself.
      for await (const _piece of archive.pieces()) continue;
      rest = archive.rest();
    }
    await extractArchive(this.#path, "/", rest, {}, this.#signal);
  }

  async #open(directory: string): Promise<string> {
    this.#unpacked ??= this.#unpack();
    await this.#unpacked;
    return madeInside(this.#path, directory);
  }
}

function contextOf(context: RemoteContext, files: SentFiles, directory: string): ContextSource {
  switch (context.kind) {
    case "files":
    case "archive":
      return files.source(directory);
    case "git":
    case "http":
    case "image":
    case "empty":
      return context as ContextSource;
    default:
      throw new InvalidArgument("there is no such context");
  }
}

function requestOf(
  head: RemoteBuild,
  files: SentFiles,
  write: (message: RemoteMessage) => Promise<void> | undefined,
  streams: AskedStreams,
): BuildRequest {
  const {
    file,
    filePath,
    context,
    contexts = {},
    secrets = {},
    ssh = [],
    credentials = {},
    args = {},
    outputs = [],
    cacheFrom = [],
    cacheTo = [],
    call: _call,
    ...rest
  } = head;
  const { resources, ...options } = rest;
  return {
    ...options,
    ...(resources === undefined ? {} : { resources }),
    file:
      file === undefined
        ? { kind: "context", ...(filePath === undefined ? {} : { path: filePath }) }
        : {
            kind: "bytes",
            name: file.name,
            bytes: Buffer.from(file.bytes, "base64"),
            ...(file.ignore === undefined ? {} : { ignore: Buffer.from(file.ignore, "base64") }),
          },
    context: contextOf(context, files, "main"),
    contexts: Object.fromEntries(
      Object.entries(contexts).map(([name, source]) => [name, contextOf(source, files, `named/${name}`)]),
    ),
    args: Object.fromEntries(Object.entries(args).map(([name, value]) => [name, value ?? undefined])),
    secret: (id) => {
      const value = Object.hasOwn(secrets, id) ? secrets[id] : undefined;
      return Promise.resolve(value === undefined ? undefined : Buffer.from(value, "base64"));
    },
    ssh: async (id, signal) =>
      ssh.includes(id) ? streams.ask((stream) => write({ agent: id, stream }), signal) : undefined,
    credentials: (host) => Promise.resolve(Object.hasOwn(credentials, host) ? credentials[host] : undefined),
    outputs: outputs.map((output, index) => outputOf(output, index, write)),
    cacheFrom: cacheFrom.map((source, index) => importOf(source, index, files)),
    cacheTo: cacheTo.map((target, index) => exportOf(target, index, write)),
    history: "buildkit",
  };
}

function importOf(source: RemoteCacheImport, index: number, files: SentFiles): CacheImport {
  if (source.kind === "registry") return source;
  return { kind: "store", name: source.name, store: files.cache(`cache/${index}`, source) };
}

function exportOf(
  target: RemoteCacheExport,
  index: number,
  write: (message: RemoteMessage) => Promise<void> | undefined,
): CacheExport {
  if (target.kind !== "files") return target;
  const have = new Set(target.have);
  const sink: CacheSink = {
    has: ({ digest }) => Promise.resolve(have.has(digest)),
    write: async ({ digest }, bytes) => {
      for await (const piece of bytes) {
        for (const data of texts(piece)) await write({ cache: index, blob: digest, data });
        if (piece.byteLength > MESSAGE_BYTES) releaseBytes(piece);
      }
    },
    finish: async ({ mediaType, digest, size }) => {
      await write({ cache: index, manifest: { mediaType, digest, size } });
    },
  };
  return { kind: "store", sink, ...(target.options === undefined ? {} : { options: target.options }) };
}

/** How much goes into one message: short texts are forgotten at once, long ones when there are many. */
const MESSAGE_BYTES = 48 << 10;

function* texts({ buffer, byteOffset, byteLength }: Uint8Array): Generator<string> {
  const piece = Buffer.from(buffer, byteOffset, byteLength);
  for (let at = 0; at < piece.length; at += MESSAGE_BYTES) {
    yield piece.toString("base64", at, Math.min(piece.length, at + MESSAGE_BYTES));
  }
}

function outputOf(
  output: RemoteOutput,
  index: number,
  write: (message: RemoteMessage) => Promise<void> | undefined,
): Output {
  if (output.kind === "image" || output.kind === "none") return output;
  const sink = async (bytes: AsyncIterable<Uint8Array>) => {
    for await (const piece of bytes) {
      for (const data of texts(piece)) await write({ output: index, data });
      // Small ones may be somebody's constant.
      if (piece.byteLength > MESSAGE_BYTES) releaseBytes(piece);
    }
  };
  return output.kind === "tar" ? { kind: "tar", write: sink } : { ...output, write: sink };
}
