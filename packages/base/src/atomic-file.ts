import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";

export interface AtomicFileOptions {
  /** @default 0o600 */
  readonly mode?: number;
}

/**
 * Replaces `path` with `data` so that after a crash at any moment the file is either the old or the new one, whole:
 * temporary file in the same directory, fsync, rename, fsync of the directory. Durable once it resolves. The syncs run
 * on the thread pool, never on the event loop.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    {
      await using file = await open(temporary, "wx", options.mode ?? 0o600);
      await file.writeFile(data);
      await file.sync();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes renames, creations and removals in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
