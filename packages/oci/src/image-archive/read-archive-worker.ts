import { once } from "node:events";
import { closeSync, openSync, writeSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks, type TaskContext } from "@boxship/base/worker-pool";
import { diskError } from "../content-store/disk-error.ts";
import { type Digest, Digester, digestAlgorithm, isDigest } from "../digest.ts";
import { parentOf, pathInRoot } from "../layer/apply/names.ts";
import { receiveBytes } from "../layer/archive/byte-channel.ts";
import { decompress } from "../layer/compression.ts";
import { type ByteString, quote, toText } from "../layer/tar/bytes.ts";
import type { TarEntry } from "../layer/tar/entry.ts";
import { readTar, type TarMember } from "../layer/tar/reader.ts";
import { yieldToMainThread } from "../thread-priority.ts";
import type { ArchivedFile, FromReader, ReadTask, ReadTaskResult, ToReader } from "./read-archive.ts";

yieldToMainThread();

const DOCUMENTS: ReadonlySet<string> = new Set(["manifest.json", "index.json", "oci-layout", "repositories"]);
const DOCUMENT_LIMIT = 4 * 1024 * 1024;
/** An image has a few hundred files at the most; each of these costs a disk sync. */
const FILE_LIMIT = 20_000;
/** Beside each layer of an old archive, for Dockers before 1.10. */
const LEGACY_METADATA = /^[0-9a-f]{64}\/(?:VERSION|json)$/;
const BLOB = /^blobs\/([^/]+)\/([^/]+)$/;

serveTasks(async (task: ReadTask, context) => {
  // The DOM's type of the same thing is what messages are typed with.
  const [bytes, files] = [task.bytes, task.files] as unknown as readonly [MessagePort, MessagePort];
  const reader = new ArchiveReader(files, context);
  try {
    for await (const member of readTar(decompress(receiveBytes(bytes), { foreign: true }))) await reader.take(member);
    return await reader.result();
  } finally {
    files.close();
  }
});

class ArchiveReader {
  readonly #port: MessagePort;
  readonly #context: TaskContext;
  readonly #files = new Map<string, ArchivedFile>();
  readonly #links = new Map<string, string>();
  readonly #documents = new Map<string, Uint8Array>();
  readonly #closed: Promise<never>;

  constructor(port: MessagePort, context: TaskContext) {
    this.#port = port;
    this.#context = context;
    this.#closed = once(port, "close").then(() => {
      // Whoever was to write the blobs has given up, and says why.
      throw new InvalidArgument("the task was cancelled");
    });
    this.#closed.catch(() => {});
  }

  async result(): Promise<ReadTaskResult> {
    await this.#ask({ kind: "end" });
    return { files: [...this.#files], links: [...this.#links], documents: [...this.#documents] };
  }

  async take({ entry, body }: TarMember): Promise<void> {
    this.#context.throwIfCancelled();
    const path = pathInRoot(entry.name);
    const name = toText(path);
    switch (entry.type) {
      case "directory":
        return;
      case "symlink":
        return this.#link(name, pathInRoot(symlinkPath(path, entry.linkName)));
      case "link":
        return this.#link(name, pathInRoot(entry.linkName));
      case "file":
        if (DOCUMENTS.has(name)) return this.#document(name, entry, body);
        if (LEGACY_METADATA.test(name)) return;
        return this.#file(name, entry, body);
      default:
        throw new InvalidArgument(`the archive holds no images: ${quote(entry.name)} is a ${entry.type}`);
    }
  }

  #link(name: string, target: ByteString): void {
    this.#refuseSecond(name);
    this.#links.set(name, toText(target));
  }

  async #document(name: string, entry: TarEntry, body: AsyncIterable<Buffer>): Promise<void> {
    this.#refuseSecond(name);
    if (entry.size > DOCUMENT_LIMIT) {
      throw new InvalidArgument(`${name} of the archive is too large: ${entry.size} bytes`);
    }
    const pieces: Buffer[] = [];
    // Pieces may be overwritten once the next is asked for.
    for await (const piece of body) pieces.push(Buffer.from(piece));
    this.#documents.set(name, Buffer.concat(pieces));
  }

  async #file(name: string, entry: TarEntry, body: AsyncIterable<Buffer>): Promise<void> {
    const expected = blobDigest(name);
    if (expected === undefined) this.#refuseSecond(name);
    if (this.#files.size >= FILE_LIMIT) throw new InvalidArgument(`the archive has more than ${FILE_LIMIT} files`);
    const { size } = entry;
    const path = await this.#ask({ kind: "open", digest: expected, size });
    const digester = new Digester(expected === undefined ? "sha256" : digestAlgorithm(expected));
    const file = path === undefined ? undefined : openSync(path, "r+");
    try {
      for await (const piece of body) {
        this.#context.throwIfCancelled();
        digester.update(piece);
        if (file !== undefined) writeAll(file, piece, path ?? "");
      }
    } finally {
      if (file !== undefined) closeSync(file);
    }
    const digest = digester.digest();
    this.#post({ kind: "written", digest, size });
    this.#files.set(name, { digest, size });
  }

  #refuseSecond(name: string): void {
    if (!this.#files.has(name) && !this.#links.has(name) && !this.#documents.has(name)) return;
    throw new InvalidArgument(`the archive holds ${JSON.stringify(name)} more than once`);
  }

  #post(message: FromReader): void {
    const port = this.#port;
    port.postMessage(message);
  }

  async #ask(message: FromReader): Promise<string | undefined> {
    const answer = once(this.#port, "message");
    this.#post(message);
    const [reply] = (await Promise.race([answer, this.#closed])) as [ToReader];
    return reply.path;
  }
}

/** A link's target, from the root of the archive. */
function symlinkPath(name: ByteString, target: ByteString): ByteString {
  return target.startsWith("/") ? target : (`${parentOf(name)}/${target}` as ByteString);
}

/** What a file in a layout's directory of blobs must hold. */
function blobDigest(name: string): Digest | undefined {
  const [, algorithm, hex] = BLOB.exec(name) ?? [];
  if (algorithm === undefined) return undefined;
  const digest = `${algorithm}:${hex}`;
  if (isDigest(digest)) return digest;
  throw new InvalidArgument(`the archive holds a blob without a digest for its name: ${JSON.stringify(name)}`);
}

function writeAll(file: number, bytes: Buffer, name: string): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
  } catch (error) {
    throw diskError(error, name);
  }
}
