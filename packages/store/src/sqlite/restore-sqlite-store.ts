import { constants } from "node:fs";
import { chmod, copyFile, link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { openSqliteStore } from "./open-sqlite-store.ts";

export interface RestoreOptions {
  /** What {@link SqliteStore.backup} wrote. */
  readonly snapshot: string;
  /** The store, which nobody has open. */
  readonly path: string;
}

export interface RestoreResult {
  readonly snapshotRevision: number;
  readonly revision: number;
  /** Where the store that was there is now; undefined where there was none. */
  readonly replaced: string | undefined;
}

/** How far beyond the snapshot clients may have got, where the store itself cannot tell any more. */
const BEYOND = 1_000_000;

/**
 * Puts a snapshot in the store's place. Its revision lies beyond all that was before, and all of it is compacted: no
 * revision is used twice, and whoever watches from before is told to read again. The store that was there is kept beside
 * it.
 *
 * @throws FailedPrecondition for a file that is no sound snapshot; then nothing was changed
 */
export async function restoreSqliteStore({ snapshot, path }: RestoreOptions): Promise<RestoreResult> {
  const next = `${path}.restoring`;
  await remove(next);
  try {
    await copyFile(snapshot, next, constants.COPYFILE_EXCL);
    await chmod(next, 0o600);
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw cause;
    throw new FailedPrecondition(`there is no snapshot ${snapshot}`, {
      cause,
      subject: { kind: "file", name: snapshot },
    });
  }
  let snapshotRevision = 0;
  let revision = 0;
  try {
    const before = await newestOf(path);
    await using store = await openSqliteStore({ path: next });
    const wrong = await store.check();
    if (wrong.length > 0) throw new FailedPrecondition(`${snapshot} is damaged: ${wrong.slice(0, 3).join("; ")}`);
    ({ revision: snapshotRevision } = await store.status());
    revision = Math.max(snapshotRevision, before) + BEYOND;
    await store.raiseRevision(revision);
    await store.compact(revision);
  } catch (error) {
    await remove(next);
    throw error;
  }
  // Closed, so that all of it is in the one file.
  const file = await open(next, "r");
  await file.sync();
  await file.close();
  const replaced = await keep(path);
  await rename(next, path);
  const directory = await open(dirname(path), "r");
  await directory.sync();
  await directory.close();
  return { snapshotRevision, revision, replaced };
}

/** The store's newest revision; 0 where there is none, or none that can be read. */
async function newestOf(path: string): Promise<number> {
  try {
    const file = await open(path, "r");
    await file.close();
    await using store = await openSqliteStore({ path });
    return (await store.status()).revision;
  } catch {
    return 0;
  }
}

/** The store under a second name; what its log has not folded back goes there, too. */
async function keep(path: string): Promise<string | undefined> {
  for (let number = 1; ; number++) {
    const replaced = `${path}.replaced-${number}`;
    try {
      await link(path, replaced);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT") return undefined;
      if (code === "EEXIST") continue;
      throw error;
    }
    for (const part of ["-wal", "-shm"]) {
      await rename(path + part, replaced + part).catch((error: unknown) => {
        if (systemCode(error) !== "ENOENT") throw error;
      });
    }
    return replaced;
  }
}

async function remove(path: string): Promise<void> {
  await Promise.all(["", "-wal", "-shm"].map((part) => rm(path + part, { force: true })));
}
