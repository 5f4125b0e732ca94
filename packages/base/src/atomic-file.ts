import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { ResourceExhausted, systemCode } from "./errors.ts";

export interface AtomicFileOptions {
  /** @default 0o600 */
  readonly mode?: number;
}

/**
 * Replaces `path` with `data` so that after a crash at any moment the file is either the old or the new one, whole:
 * temporary file in the same directory, fsync, rename, fsync of the directory. Durable once it resolves. The syncs run
 * on the thread pool, never on the event loop.
 *
 * @throws ResourceExhausted when the disk is full
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
    const code = systemCode(error);
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new ResourceExhausted(`no space left for ${path}`, {
      cause: error,
      subject: { kind: "file", name: path },
      remedy: "remove what is not needed any more, or give the directory a larger disk",
    });
  }
  await syncDirectory(dirname(path));
}

/** Makes renames, creations and removals in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
