import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks, type TaskContext } from "@boxship/base/worker-pool";
import { diskError } from "../../content-store/disk-error.ts";
import { Digester } from "../../digest.ts";
import { yieldToMainThread } from "../../thread-priority.ts";
import { receiveBytes } from "../archive/byte-channel.ts";
import { readBlob } from "../blob-source.ts";
import { decode, sniff } from "../compression.ts";
import { packTree } from "../pack/pack-directory.ts";
import { releaseBytes } from "../release-bytes.ts";
import { TarParser } from "../tar/parser.ts";
import { compressParallel } from "./compress-parallel.ts";
import type { MadeLayer, MakeLayerTask } from "./make-layer.ts";

const PROGRESS_INTERVAL_MS = 100;

yieldToMainThread();

serveTasks(async (task: MakeLayerTask, context): Promise<MadeLayer> => {
  switch (task.kind) {
    case "archive":
      return await keepArchive(receiveBytes(task.port), task.path, context);
    case "directory":
      return await keepPlain(packTree(task.directory, task.options), task.path, context);
    case "compress":
      return await compressInto(fileOf(task.source, context), task, context);
    case "examine":
      return await examine(fileOf(task.source, context), context);
  }
});

function fileOf(path: string, { cancelFlag }: TaskContext): AsyncGenerator<Buffer> {
  return readBlob({ path, progress: undefined, cancelFlag });
}

async function keepArchive(source: AsyncIterable<Buffer>, path: string, context: TaskContext): Promise<MadeLayer> {
  const { compression, whole } = await sniff(source);
  if (compression === "none") return keepPlain(whole, path, context);
  using file = new BlobFile(path);
  const content = new ArchiveContent(context);
  for await (const piece of decode(compression, file.copying(whole))) content.take(piece);
  return { compression, ...file.result(), ...content.result() };
}

async function keepPlain(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  context: TaskContext,
): Promise<MadeLayer> {
  using file = new PlainFile(path);
  const content = new ArchiveContent(context);
  for await (const piece of content.taking(source)) file.write(piece);
  const archive = content.result();
  return { compression: "none", digest: archive.diffId, written: content.bytes, ...archive };
}

async function compressInto(
  source: AsyncIterable<Buffer>,
  { path, compression, level }: Extract<MakeLayerTask, { readonly kind: "compress" }>,
  context: TaskContext,
): Promise<MadeLayer> {
  const { compression: before, whole } = await sniff(source);
  const plain = before === "none" ? whole : decode(before, whole);
  if (compression === "none") return keepPlain(plain, path, context);
  using file = new BlobFile(path);
  const content = new ArchiveContent(context);
  const pieces = compressParallel(releasing(content.taking(plain)), { compression, level });
  for await (const piece of pieces) file.write(piece);
  return { compression, ...file.result(), ...content.result() };
}

async function examine(source: AsyncIterable<Buffer>, context: TaskContext): Promise<MadeLayer> {
  const { compression, whole } = await sniff(source);
  const content = new ArchiveContent(context);
  const pieces = compression === "none" ? whole : decode(compression, whole);
  for await (const piece of releasing(pieces)) content.take(piece);
  const { diffId, ...counts } = content.result();
  return { compression, digest: diffId, written: 0, diffId, ...counts };
}

/** Pieces of which each is done with when the next is asked for. */
async function* releasing(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    yield piece;
    releaseBytes(piece);
  }
}

/** The archive on its way: hashed, counted, and checked to be one. */
class ArchiveContent {
  readonly #context: TaskContext;
  readonly #hash = createHash("sha256");
  readonly #parser: TarParser;
  /** Of the archive, so far. */
  bytes = 0;
  #size = 0;
  #entries = 0;
  #reported = performance.now();

  constructor(context: TaskContext) {
    this.#context = context;
    this.#parser = new TarParser({
      entry: () => void this.#entries++,
      data: (chunk) => void (this.#size += chunk.length),
      end: () => {},
    });
  }

  take(piece: Buffer): void {
    this.#context.throwIfCancelled();
    this.#hash.update(piece);
    this.#parser.push(piece);
    this.bytes += piece.length;
    const now = performance.now();
    if (now - this.#reported < PROGRESS_INTERVAL_MS) return;
    this.#reported = now;
    this.#context.progress(this.bytes);
  }

  async *taking(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      this.take(piece);
      yield piece;
    }
  }

  result(): Pick<MadeLayer, "diffId" | "size" | "entries"> {
    if (this.bytes === 0) throw new InvalidArgument("the archive is empty");
    this.#parser.finish();
    return { diffId: `sha256:${this.#hash.digest("hex")}`, size: this.#size, entries: this.#entries };
  }
}

class PlainFile implements Disposable {
  readonly #path: string;
  readonly #file: number;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, "r+");
  }

  write(piece: Buffer): void {
    try {
      for (let done = 0; done < piece.length; ) done += writeSync(this.#file, piece, done, piece.length - done);
    } catch (error) {
      throw diskError(error, this.#path);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** The file of a compressed blob, hashed as it is written. */
class BlobFile extends PlainFile {
  readonly #digester = new Digester();

  override write(piece: Buffer): void {
    super.write(piece);
    this.#digester.update(piece);
  }

  async *copying(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      this.write(piece);
      yield piece;
    }
  }

  result(): Pick<MadeLayer, "digest" | "written"> {
    return { written: this.#digester.size, digest: this.#digester.digest() };
  }
}
