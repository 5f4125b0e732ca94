import { statSync } from "node:fs";
import { CurrentDirectory, FallocateMode, fallocate, OpenFlag, openat } from "@boxship/kernel";

/** As far as the log grows before it is folded into the database, and a part of the next. */
const LOG_BYTES = 18 << 20;
/** What the database may grow by. */
const GROWTH_BYTES = 8 << 20;

/**
 * Takes room on the disk for what a store writes next, so that it can go on when others have filled the disk: what would make
 * room there is to be written, too. Without effect where there is none, or no file system that can do that.
 *
 * @param path of the database; its log is beside it
 */
export function reserveSpace(path: string): void {
  reserve(`${path}-wal`, LOG_BYTES);
  reserve(path, statSync(path).size + GROWTH_BYTES);
}

function reserve(path: string, bytes: number): void {
  try {
    using file = openat(CurrentDirectory, path, OpenFlag.ReadWrite);
    fallocate(file, 0, bytes, FallocateMode.KeepSize);
  } catch {
    // A full disk refuses the next write itself.
  }
}
