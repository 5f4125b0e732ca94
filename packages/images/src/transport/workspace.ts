import { existsSync, rmdirSync, unlinkSync } from "node:fs";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { systemCode } from "@boxship/base";
import { tryLockFile } from "@boxship/kernel";

/** A directory for what is on its way, which is gone when it is disposed. */
export interface Workspace extends AsyncDisposable {
  readonly path: string;
}

const PREFIX = ".boxship-images-";
const LOCK = "lock";

/**
 * Makes a directory for what is on its way, and removes those that processes left behind that were killed. Its owner
 * holds a lock in it, which ends with the process.
 *
 * @param directory where it is made, @default the system's directory for temporary files
 */
export async function openWorkspace(directory: string = tmpdir()): Promise<Workspace> {
  await removeAbandoned(directory);
  for (;;) {
    const path = await mkdtemp(join(directory, PREFIX));
    const lock = lockIn(path);
    // Somebody who clears away was faster than our lock.
    if (lock === undefined) continue;
    // Or was at it between our opening of the lock and taking it: then it is the lock of what is gone.
    if (!existsSync(join(path, LOCK))) {
      lock[Symbol.dispose]();
      continue;
    }
    return {
      path,
      async [Symbol.asyncDispose]() {
        try {
          if (!isCleared(path)) await rm(path, { recursive: true, force: true });
        } finally {
          lock[Symbol.dispose]();
        }
      },
    };
  }
}

/** Whether a directory of this name may be a workspace. */
export function isWorkspace(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** Removes a workspace of which all was moved away, as of most: to look through it takes longer. */
function isCleared(path: string): boolean {
  try {
    unlinkSync(join(path, LOCK));
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The lock of a workspace; undefined when another has it, or when the workspace is gone. */
function lockIn(path: string): Disposable | undefined {
  try {
    return tryLockFile(join(path, LOCK));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function removeAbandoned(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names.filter(isWorkspace)) {
    const path = join(directory, name);
    try {
      using lock = lockIn(path);
      if (lock === undefined) continue;
      // Under another name nobody takes it for his own who made it just now and has no lock yet.
      const gone = join(
        directory,
        `${PREFIX}gone-${basename(name)
          .slice(PREFIX.length)
          .replace(/^(?:gone-)+/, "")}`,
      );
      if (gone !== path) await rename(path, gone);
      await rm(gone, { recursive: true, force: true });
    } catch {
      // Another's, or another process is at it: it is not in the way.
    }
  }
}
