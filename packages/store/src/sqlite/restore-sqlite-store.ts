import { constants } from "node:fs";
import { chmod, copyFile, link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorMessage, FailedPrecondition, ResourceExhausted, systemCode } from "@boxship/base";
import { openSqliteStore, type SqliteStore } from "./open-sqlite-store.ts";

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
  let snapshotRevision = 0;
  let revision = 0;
  try {
    const before = await newestOf(path);
    await using store = await openSnapshot(snapshot, next);
    ({ revision: snapshotRevision } = await store.status());
    revision = before === undefined ? snapshotRevision + BEYOND : Math.max(snapshotRevision, before) + 1;
    await store.raiseRevision(revision);
    await store.compact(revision);
  } catch (error) {
    await removeStore(next);
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

/**
 * A copy of a snapshot, which is found to be sound, as a store.
 *
 * @param copy where it is made; what is there is replaced, and the caller removes it
 * @throws FailedPrecondition for a file that is no sound snapshot, or has nothing in it
 */
export async function openSnapshot(snapshot: string, copy: string): Promise<SqliteStore> {
  await removeStore(copy);
  const refuse = (why: string, cause?: unknown): never => {
    const subject = { kind: "file", name: snapshot };
    throw new FailedPrecondition(`${snapshot} ${why}`, { cause, subject, remedy: "name another snapshot" });
  };
  try {
    await copyFile(snapshot, copy, constants.COPYFILE_EXCL);
    await chmod(copy, 0o600);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT") refuse("is not there", cause);
    if (code === "EISDIR") refuse("is a directory", cause);
    throw cause;
  }
  await using stack = new AsyncDisposableStack();
  let store: SqliteStore | undefined;
  try {
    requireTables(copy);
    store = stack.use(await openSqliteStore({ path: copy }));
  } catch (cause) {
    if (cause instanceof ResourceExhausted) throw cause;
    refuse(`is no snapshot of a store: ${errorMessage(cause)}`, cause);
  }
  const [wrong] = (await store?.check()) ?? [];
  if (wrong !== undefined) refuse(`is damaged: ${wrong.split("\n").slice(0, 2).join(" ")}`);
  if ((await store?.range({ start: "", end: "" }, { countOnly: true }))?.count === 0) refuse("holds nothing");
  stack.move();
  return store as SqliteStore;
}

/** Whoever opens a store makes it where it is missing: an empty file, or another database, must not become one. */
function requireTables(path: string): void {
  using database = new DatabaseSync(path);
  database.prepare("SELECT 1 FROM live, history, mark LIMIT 1").get();
}

/** The store's newest revision; undefined where there is none, or none that can be read. */
async function newestOf(path: string): Promise<number | undefined> {
  try {
    const file = await open(path, "r");
    await file.close();
    await using store = await openSqliteStore({ path });
    return (await store.status()).revision;
  } catch {
    return undefined;
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

/** With what belongs to it; nothing where there is none. */
export async function removeStore(path: string): Promise<void> {
  await Promise.all(["", "-wal", "-shm"].map((part) => rm(path + part, { force: true })));
}
