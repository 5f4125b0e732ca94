import { closeSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { AlreadyExists, Internal, postableError } from "@boxship/base";
import { type Reply, type Request, serveBatches } from "./batch.ts";
import type { ReadRequest } from "./protocol.ts";
import { readHistory, readLeaseKeys, readRange } from "./reader.ts";
import { Statements } from "./rows.ts";
import { openForReading } from "./schema.ts";

const { path } = workerData as { readonly path: string };
const database = openForReading(path);
const statements = new Statements(database);

function read(request: ReadRequest): unknown {
  switch (request.kind) {
    case "range":
      return readRange(statements, request.range, request.options);
    case "history":
      return readHistory(statements, request.range, request.from, request.previous);
    case "lease-keys":
      return readLeaseKeys(statements, request.id);
    case "check":
      return statements.rows("PRAGMA integrity_check").map(([line]) => String(line));
    case "backup":
      return backUp(request.path);
  }
}

/** A copy of one moment, whole and compact, which is a store itself. */
function backUp(target: string): void {
  if (existsSync(target)) {
    throw new AlreadyExists(`${target} exists already`, { subject: { kind: "file", name: target } });
  }
  try {
    // A connection that only reads may not write elsewhere either.
    using own = new DatabaseSync(path);
    own.prepare("VACUUM INTO ?").run(target);
    for (const each of [target, dirname(target)]) {
      const descriptor = openSync(each, "r");
      fsyncSync(descriptor);
      closeSync(descriptor);
    }
  } catch (error) {
    rmSync(target, { force: true });
    throw new Internal(`cannot back up ${path} to ${target}`, { cause: error });
  }
}

/** Everything of one answer is of one moment. */
function reply({ id, request }: Request): Reply {
  const asked = request as ReadRequest;
  // VACUUM cannot run in a transaction, and sees one moment by itself.
  const whole = asked.kind !== "backup";
  try {
    if (whole) database.exec("BEGIN");
    return { id, reply: read(asked) };
  } catch (error) {
    return { id, error: postableError(error) };
  } finally {
    if (whole) database.exec("COMMIT");
  }
}

serveBatches((requests) => requests.map(reply));
