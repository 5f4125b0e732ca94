import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory, Unavailable } from "@boxship/base";

export interface AuditLogOptions {
  readonly path: string;
  /** Bytes; a file that has more is rotated. @default 16 MiB */
  readonly maxSize?: number;
  /** The current one included: `audit.log`, `audit.log.1` … @default 5 */
  readonly maxFiles?: number;
}

interface Waiting {
  readonly line: Buffer;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Lines of JSON in a file that only root reads. Those that wait together are written and synced together; a promise
 * resolves when its line is on the disk. A line that a crash has cut is ended before the next is written.
 */
export class AuditLog implements AsyncDisposable {
  readonly #path: string;
  readonly #maxSize: number;
  readonly #maxFiles: number;
  #file: FileHandle;
  #size: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  private constructor({ path, maxSize = 16 << 20, maxFiles = 5 }: AuditLogOptions, file: FileHandle, size: number) {
    this.#path = path;
    this.#maxSize = maxSize;
    this.#maxFiles = maxFiles;
    this.#file = file;
    this.#size = size;
  }

  static async open(options: AuditLogOptions): Promise<AuditLog> {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o711 });
    const file = await open(options.path, "a+", 0o600);
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const cut = size > 0 && last[0] !== 10;
    if (cut) await file.write("\n");
    await syncDirectory(dirname(options.path));
    return new AuditLog(options, file, size + (cut ? 1 : 0));
  }

  /** @throws Unavailable when it cannot be written */
  record(entry: object): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    return new Promise((done, failed) => {
      this.#waiting.push({ line, done, failed });
      this.#writing ??= this.#write();
    });
  }

  /** Writes what waits, again and again until nothing does. */
  async #write(): Promise<void> {
    // Those that are recorded in the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        const bytes = Buffer.concat(batch.map(({ line }) => line));
        if (this.#size > 0 && this.#size + bytes.length > this.#maxSize) await this.#rotate();
        await this.#file.appendFile(bytes);
        await this.#file.datasync();
        this.#size += bytes.length;
        for (const { done } of batch) done();
      } catch (cause) {
        const error = new Unavailable(`cannot write the audit log ${this.#path}: nothing is done unaudited`, { cause });
        for (const { failed } of batch) failed(error);
      }
    }
    this.#writing = undefined;
  }

  async #rotate(): Promise<void> {
    const name = (index: number) => (index === 0 ? this.#path : `${this.#path}.${index}`);
    await rm(name(this.#maxFiles - 1), { force: true });
    for (let index = this.#maxFiles - 2; index >= 0; index--) {
      await rename(name(index), name(index + 1)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
    const next = await open(this.#path, "a+", 0o600);
    await syncDirectory(dirname(this.#path));
    await this.#file.close();
    this.#file = next;
    this.#size = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }
}
