import { rmSync, statSync, writeFileSync } from "node:fs";
import { CurrentDirectory, FallocateMode, fallocate, OpenFlag, openat } from "@boxship/kernel";

/** As far as the log grows before it is folded into the database, and a part of the next. */
const LOG_BYTES = 18 << 20;
/** What the database may grow by. */
const GROWTH_BYTES = 8 << 20;

/**
 * Room on the disk for what a store writes next, so that it can go on when others have filled the disk: what would make room
 * there is to be written, too. While the store is open its log and its database have it, otherwise a file beside it. Where there is
 * none, or no file system that can do that, nothing is reserved.
 */
export class ReservedSpace implements Disposable {
  readonly #path: string;

  /** Before the database is opened. @param path of it; its log is beside it */
  constructor(path: string) {
    this.#path = path;
    rmSync(this.#spare, { force: true });
  }

  get #spare(): string {
    return `${this.#path}-reserved`;
  }

  /** Once it is open. */
  take(): void {
    reserve(`${this.#path}-wal`, LOG_BYTES);
    reserve(this.#path, statSync(this.#path).size + GROWTH_BYTES);
  }

  /** Once it is closed: its log has gone. */
  [Symbol.dispose](): void {
    try {
      writeFileSync(this.#spare, "", { mode: 0o600 });
    } catch {
      return;
    }
    reserve(this.#spare, LOG_BYTES);
  }
}

function reserve(path: string, bytes: number): void {
  try {
    using file = openat(CurrentDirectory, path, OpenFlag.ReadWrite);
    fallocate(file, 0, bytes, FallocateMode.KeepSize);
  } catch {
    // A full disk refuses the next write itself.
  }
}
