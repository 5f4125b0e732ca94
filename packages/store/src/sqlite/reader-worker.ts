import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { AlreadyExists, errorMessage, Internal, postableError } from "@boxship/base";
import { type Reply, type Request, serveBatches } from "./batch.ts";
import { checkDatabase } from "./check-database.ts";
import type { ReadRequest } from "./protocol.ts";
import { readHistory, readLeaseKeys, readRange } from "./reader.ts";
import { Statements } from "./rows.ts";
import { openForReading } from "./schema.ts";

const { path } = workerData as { readonly path: string };
let opened: { readonly database: DatabaseSync; readonly statements: Statements } | undefined;

/** Only now, so that a file that cannot be opened is an answer, and not the thread's end. */
function open(): NonNullable<typeof opened> {
  if (opened === undefined) {
    const database = openForReading(path);
    opened = { database, statements: new Statements(database) };
  }
  return opened;
}

function read(statements: Statements, request: ReadRequest): unknown {
  switch (request.kind) {
    case "range":
      return readRange(statements, request.range, request.options);
    case "history":
      return readHistory(statements, request.range, request.from, request.previous);
    case "lease-keys":
      return readLeaseKeys(statements, request.id);
    case "check":
      return checkDatabase(statements);
    case "backup":
      return backUp(request.path);
  }
}

/** A copy of one moment, whole and compact, which is a store itself. */
function backUp(target: string): void {
  if (existsSync(target)) {
    throw new AlreadyExists(`${target} exists already`, { subject: { kind: "file", name: target } });
  }
  // Nobody takes for a backup what a crash left half written.
  const temporary = `${target}.partial`;
  try {
    rmSync(temporary, { force: true });
    // Into an empty file, which is nobody else's to read.
    closeSync(openSync(temporary, "wx", 0o600));
    // A connection that only reads may not write elsewhere either.
    using own = new DatabaseSync(path);
    own.prepare("VACUUM INTO ?").run(temporary);
    sync(temporary);
    renameSync(temporary, target);
    sync(dirname(target));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Internal(`cannot back up ${path} to ${target}: ${errorMessage(error)}`, { cause: error });
  }
}

function sync(file: string): void {
  const descriptor = openSync(file, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** Everything of one answer is of one moment. */
function reply({ id, request }: Request): Reply {
  const asked = request as ReadRequest;
  try {
    const { database, statements } = open();
    // VACUUM cannot run in a transaction, and sees one moment by itself.
    if (asked.kind === "backup") return { id, reply: read(statements, asked) };
    database.exec("BEGIN");
    try {
      return { id, reply: read(statements, asked) };
    } finally {
      database.exec("COMMIT");
    }
  } catch (error) {
    return { id, error: postableError(error) };
  }
}

serveBatches((requests) => requests.map(reply));
