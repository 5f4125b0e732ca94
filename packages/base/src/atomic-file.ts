import { randomBytes } from "node:crypto";
import { closeSync, fchownSync, fsync, openSync, renameSync, writeFileSync } from "node:fs";
import { link, open, readdir, readFile, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ResourceExhausted, systemCode } from "./errors.ts";

export interface AtomicFileOptions {
  /** @default 0o600 */
  readonly mode?: number;
  /** Whose it is. @default the process's */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** What is replaced stays as `<path>.previous`, for the day on which the file cannot be read. @default false */
  readonly keepPrevious?: boolean;
  /** Where the temporary file is made: a directory of the same file system. @default that of the file */
  readonly temporaryDirectory?: string | undefined;
  /** The caller syncs the file's directory, for many files at once, before it relies on them. @default false */
  readonly leaveDirectory?: boolean;
  /**
   * The calling thread writes, and only the sync is left to others: for a program that has nothing else to do, and for
   * which each change of threads costs more than the call.
   * @default false
   */
  readonly writeHere?: boolean;
}

/** Where {@link writeFileAtomic} keeps what it replaced. */
export function previousOf(path: string): string {
  return `${path}.previous`;
}

/**
 * Replaces `path` with `data` so that after a crash at any moment the file is either the old or the new one, whole:
 * temporary file, fsync, rename, fsync of the directory. Durable once it resolves, unless
 * `leaveDirectory`. The syncs run on the thread pool, never on the event loop.
 *
 * @throws ResourceExhausted when the disk is full
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  const { temporaryDirectory = dirname(path) } = options;
  const temporary = join(temporaryDirectory, `${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const { mode = 0o600, owner, writeHere = false } = options;
  try {
    if (writeHere) await writeSynced(temporary, data, options);
    else {
      await using file = await open(temporary, "wx", mode);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      await file.writeFile(data);
      await file.sync();
    }
    if (options.keepPrevious === true) await keepPrevious(path, temporary);
    if (writeHere) renameSync(temporary, path);
    else await rename(temporary, path);
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
  if (options.leaveDirectory !== true) await syncDirectory(dirname(path));
}

async function writeSynced(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, owner }: AtomicFileOptions,
): Promise<void> {
  const file = openSync(path, "wx", mode);
  try {
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    writeFileSync(file, data);
    await new Promise<void>((resolve, reject) => fsync(file, (error) => (error === null ? resolve() : reject(error))));
  } finally {
    closeSync(file);
  }
}

/** Both names are there at every moment. */
async function keepPrevious(path: string, temporary: string): Promise<void> {
  const second = `${temporary}.previous`;
  try {
    await link(path, second);
    await rename(second, previousOf(path));
    // A rename between two names of one file does nothing.
    await unlink(second);
  } catch (error) {
    // No file yet, or a file system without second names.
    if (!["ENOENT", "EPERM", "EOPNOTSUPP"].includes(systemCode(error) ?? "")) throw error;
  }
}

/**
 * The same, unless that is what the file has: on a disk that is full, what is there already needs no room.
 *
 * @throws ResourceExhausted when the disk is full
 */
export async function writeFileIfOther(path: string, data: string, options: AtomicFileOptions = {}): Promise<void> {
  const present = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
  if (present !== data) await writeFileAtomic(path, data, options);
}

/**
 * Removes what writers that were killed have left of `path`: for whoever alone writes it. What is to be gone from the file
 * must not stay beside it.
 */
export async function removeUnfinished(path: string): Promise<void> {
  const [directory, name] = [dirname(path), basename(path)];
  for (const found of await readdir(directory)) {
    const rest = found.startsWith(`${name}.`) ? found.slice(name.length + 1) : "";
    if (/^[0-9a-f]{12}\.tmp(?:\.previous)?$/.test(rest)) await rm(join(directory, found), { force: true });
  }
}

/** Makes renames, creations and removals in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}
