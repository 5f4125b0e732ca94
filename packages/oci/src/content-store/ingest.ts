import { type FileHandle, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base";
import { type Digest, Digester, digestAlgorithm } from "../digest.ts";
import type { BlobInfo, Ingest, IngestRequest, LentFile } from "./contract.ts";
import { diskError } from "./disk-error.ts";
import { hashKey, readIngestName, type StorePaths } from "./paths.ts";

const READ_SIZE = 1024 * 1024;

/** Makes a verified, synced file a blob. */
export type Publish = (file: { readonly path: string; readonly handle: FileHandle }, blob: BlobInfo) => Promise<void>;

type State = "open" | "lent" | "committed" | "aborted" | "suspended";

/** Opens the file of an ingest: one that stopped earlier if there is one, else a new one. */
export async function openIngest(paths: StorePaths, request: IngestRequest, publish: Publish): Promise<Ingest> {
  const keyHash = hashKey(request.key);
  const path = paths.active(keyHash);
  const claimed = await claim(paths, keyHash, path);
  const handle = await open(path, claimed ? "r+" : "wx+", 0o600).catch((error: unknown) => {
    throw diskError(error, request.key);
  });
  try {
    let offset = (await handle.stat()).size;
    if (request.size !== undefined && offset > request.size) {
      await handle.truncate(0);
      offset = 0;
    }
    return new FileIngest(paths, request, publish, { keyHash, path, handle, offset });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Takes over a stopped ingest of the key by renaming it to `path`; false if there is none. */
async function claim(paths: StorePaths, keyHash: string, path: string): Promise<boolean> {
  for (const name of await readdir(paths.ingests)) {
    if (!name.startsWith(keyHash)) continue;
    const file = readIngestName(name);
    if (file === undefined || file.owned) continue;
    try {
      await rename(join(paths.ingests, name), path);
      return true;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return false;
}

interface IngestFile {
  readonly keyHash: string;
  readonly path: string;
  readonly handle: FileHandle;
  readonly offset: number;
}

class FileIngest implements Ingest {
  readonly #paths: StorePaths;
  readonly #request: IngestRequest;
  readonly #publish: Publish;
  readonly #file: IngestFile;
  #state: State = "open";
  #offset: number;
  /** Covers the file up to the offset; undefined when bytes were written that it has not seen. */
  #digester: Digester | undefined;
  /** Of the whole file, as told by a writer in another thread. */
  #digest: Digest | undefined;

  constructor(paths: StorePaths, request: IngestRequest, publish: Publish, file: IngestFile) {
    this.#paths = paths;
    this.#request = request;
    this.#publish = publish;
    this.#file = file;
    this.#offset = file.offset;
    if (file.offset === 0) this.#digester = this.#newDigester();
  }

  get offset(): number {
    return this.#offset;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#expect("open");
    const { size } = this.#request;
    if (size !== undefined && this.#offset + bytes.byteLength > size) {
      throw this.#mismatch(`has more than the announced ${size} bytes`);
    }
    const digester = (this.#digester ??= await this.#rehash());
    this.#digest = undefined;
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await this.#file.handle.write(bytes, done, undefined, this.#offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw diskError(error, this.#request.key);
    }
    digester.update(bytes);
    this.#offset += bytes.byteLength;
  }

  async restart(): Promise<void> {
    this.#expect("open");
    await this.#file.handle.truncate(0);
    this.#offset = 0;
    this.#digester = this.#newDigester();
    this.#digest = undefined;
  }

  lend(): LentFile {
    this.#expect("open");
    this.#state = "lent";
    return { path: this.#file.path, offset: this.#offset };
  }

  adopt(written: number, digest?: Digest): void {
    this.#expect("lent");
    this.#state = "open";
    this.#offset = written;
    this.#digester = undefined;
    this.#digest = digest;
  }

  async commit(expected = this.#request.digest): Promise<BlobInfo> {
    this.#expect("open");
    const { handle, path } = this.#file;
    const blob: BlobInfo = { digest: await this.#finalDigest(), size: this.#offset };
    const problem = this.#problem(blob, expected);
    if (problem !== undefined) {
      await this.abort();
      throw this.#mismatch(problem);
    }
    try {
      await this.#publish({ path, handle }, blob);
    } catch (error) {
      throw diskError(error, this.#request.key);
    }
    this.#state = "committed";
    await handle.close();
    return blob;
  }

  async abort(): Promise<void> {
    if (this.#state !== "open" && this.#state !== "lent") return;
    this.#state = "aborted";
    await this.#file.handle.close();
    await unlink(this.#file.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "open" && this.#state !== "lent") return;
    const { handle, path, keyHash } = this.#file;
    const { size } = await handle.stat();
    const waiting = await stat(this.#paths.partial(keyHash)).catch(() => undefined);
    if (size === 0 || (waiting !== undefined && waiting.size >= size)) return this.abort();
    this.#state = "suspended";
    await handle.close();
    await rename(path, this.#paths.partial(keyHash));
  }

  #problem(blob: BlobInfo, digest: Digest | undefined): string | undefined {
    const { size } = this.#request;
    if (size !== undefined && blob.size !== size) return `has ${blob.size} bytes instead of ${size}`;
    if (digest !== undefined && blob.digest !== digest) return `has the digest ${blob.digest} instead of ${digest}`;
    return undefined;
  }

  async #finalDigest(): Promise<Digest> {
    if (this.#digest !== undefined) return this.#digest;
    this.#digester ??= await this.#rehash();
    const digest = this.#digester.digest();
    this.#digest = digest;
    this.#digester = undefined;
    return digest;
  }

  async #rehash(): Promise<Digester> {
    const digester = this.#newDigester();
    const buffer = Buffer.allocUnsafe(READ_SIZE);
    while (digester.size < this.#offset) {
      const length = Math.min(READ_SIZE, this.#offset - digester.size);
      const { bytesRead } = await this.#file.handle.read(buffer, 0, length, digester.size);
      if (bytesRead === 0) break;
      digester.update(buffer.subarray(0, bytesRead));
    }
    return digester;
  }

  #newDigester(): Digester {
    const { digest } = this.#request;
    return new Digester(digest === undefined ? "sha256" : digestAlgorithm(digest));
  }

  #mismatch(problem: string): InvalidArgument {
    const { digest, key } = this.#request;
    return new InvalidArgument(`blob ${digest ?? key} ${problem}`, {
      subject: { kind: "blob", name: digest ?? key },
      remedy: "try again; if it happens again, the content was damaged or changed where it comes from",
    });
  }

  #expect(state: State): void {
    if (this.#state === state) return;
    throw new FailedPrecondition(`ingest ${this.#request.key} is ${this.#state}, not ${state}`);
  }
}
