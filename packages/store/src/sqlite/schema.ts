import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FailedPrecondition } from "@boxship/base";

const VERSION = 1;
/** Bytes of a page. */
const PAGE = 4096;
/** Pages beyond its size that a full store may use for deletions, without which it would stay full. */
const RESERVE = 2000;

/**
 * - `history` has every version of every key that is still kept, deletions too.
 * - `live` has the keys that exist, each with its newest row of `history`: conditions and counts never touch values.
 * - `lease` has what was granted; how much time is left starts anew with each start of the store, as in etcd.
 * - `mark` has the one number that the rows do not tell: up to where history was given up.
 */
const TABLES = `
  CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    key BLOB NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX history_key ON history (key, revision);
  CREATE INDEX history_revision ON history (revision);
  CREATE TABLE live (
    key BLOB PRIMARY KEY,
    id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX live_lease ON live (lease) WHERE lease != 0;
  CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL) STRICT;
  CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO mark VALUES ('compacted', 0);
`;

/**
 * Opens the database for writing, and makes it where it is missing.
 *
 * @param maxSize bytes that it may grow to
 * @throws FailedPrecondition for a file of a later program
 */
export function openForWriting(path: string, maxSize: number): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite would make it, and its log, for everybody to read.
  closeSync(openSync(path, "a", 0o600));
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA page_size = ${PAGE}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL`);
  // A commit that was acknowledged survives a power cut: the log is synced at each.
  database.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384");
  database.exec(`PRAGMA max_page_count = ${Math.ceil(maxSize / PAGE) + RESERVE}`);
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > VERSION) {
    database.close();
    throw new FailedPrecondition(`the store ${path} was written by a later version of this program`, {
      subject: { kind: "store", name: path },
      remedy: "start that version, or restore a backup of this one",
    });
  }
  if (version === 0) database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${VERSION}; COMMIT`);
  return database;
}

/** A connection for reading, beside the one that writes: it sees the newest commit and waits for nobody. */
export function openForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec("PRAGMA query_only = 1; PRAGMA cache_size = -16384");
  return database;
}
