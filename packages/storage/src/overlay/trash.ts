import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readdir, rename, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@boxship/base";
import { systemCode } from "@boxship/base/errors";
import { releaseMountsBelow } from "@boxship/kernel";
import { emptyDirectoryAway } from "../tree/empty-directory.ts";

/** Trees up to this size are removed on the thread pool; a worker thread is started only for larger ones. */
const SMALL = 200;
/** How long {@link Trash.close} waits for what is being removed. */
const PATIENCE_MS = 5000;

/**
 * Things that are to be removed. A rename takes them out of sight at once and for good; their space is returned in the
 * background, and what a crash leaves in the directory is removed by the next one that opens it.
 */
export class Trash {
  readonly #directory: string;
  readonly #logger: Logger;
  #emptying: Promise<void> | undefined;
  #again = false;
  readonly #stop = new AbortController();

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Moves a file or directory of the same file system here. @returns false when it does not exist */
  async take(path: string): Promise<boolean> {
    try {
      await rename(path, join(this.#directory, randomBytes(8).toString("hex")));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false;
      throw error;
    }
    this.empty();
    return true;
  }

  /** Starts to remove what is here. */
  empty(): void {
    if (this.#emptying !== undefined) {
      this.#again = true;
      return;
    }
    if (this.#stop.signal.aborted) return;
    this.#emptying = this.#run().finally(() => {
      this.#emptying = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.empty();
    });
  }

  /** Resolves when nothing is left that was here at the time of the call. */
  async settled(): Promise<void> {
    while (this.#emptying !== undefined) await this.#emptying;
  }

  /**
   * Lets removals go on for a while, and stops them then: who opens the directory next goes on with them.
   *
   * @param patience milliseconds
   */
  async close(patience = PATIENCE_MS): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), patience);
    await this.settled();
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    try {
      // A rename takes mounts along; they are not ours to empty.
      await releaseMountsBelow(this.#directory);
      for (const name of await readdir(this.#directory)) {
        const budget = { left: SMALL };
        if (await removeSmall(join(this.#directory, name), budget)) continue;
        await emptyDirectoryAway(this.#directory, { signal: this.#stop.signal });
        return;
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#logger.warn("removed data still takes disk space", { directory: this.#directory, error });
    }
  }
}

/** Removes a tree unless it has more entries than the budget. @returns whether it is gone */
async function removeSmall(path: string, budget: { left: number }): Promise<boolean> {
  if (budget.left-- <= 0) return false;
  try {
    await unlink(path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return true;
    if (code !== "EISDIR" && code !== "EPERM") throw error;
  }
  const names = await readdir(path);
  if (names.length > budget.left) return false;
  for (const name of names) if (!(await removeSmall(join(path, name), budget))) return false;
  await rmdir(path);
  return true;
}
