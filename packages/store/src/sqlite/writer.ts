import type { DatabaseSync } from "node:sqlite";
import { NotFound, ResourceExhausted } from "@boxship/base";
import type { Compare, KeyValue, Operation, OperationResult } from "../contract.ts";
import { satisfies } from "../satisfies.ts";
import type { Opened, WriteReply, WriteRequest, WrittenEvent } from "./protocol.ts";
import { readRange } from "./reader.ts";
import {
  compactedRevision,
  EMPTY,
  ITEM,
  itemOf,
  keyBytes,
  keyText,
  newestRevision,
  Statements,
  within,
} from "./rows.ts";

/** Rows of history that one step of a compaction looks at. */
const STEP = 500;
/** Free pages that are given back to the file system in one step, and how many may stay for what comes next. */
const VACUUM = { step: 500, spare: 1000 } as const;

const RAISED_KEY = "/boxship/raised";

interface LiveRow {
  readonly id: number;
  readonly revision: number;
  readonly created: number;
  readonly version: number;
  readonly lease: number;
}

/** The only one that changes the database. Every method is called within a transaction that its caller commits. */
export class Writer {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  #revision: number;
  #compacted: number;
  /** Rows that the sweep has left behind, by their id; a sweep that was cut short begins anew, and is quick then. */
  #swept = 0;
  #sweeping: boolean;
  readonly #maxSize: number;

  /** @param maxSize bytes of pages in use from which nothing more is put */
  constructor(database: DatabaseSync, maxSize: number) {
    this.#database = database;
    this.#maxSize = maxSize;
    this.#statements = new Statements(database);
    this.#revision = newestRevision(this.#statements);
    this.#compacted = compactedRevision(this.#statements);
    this.#sweeping = this.#compacted > 0;
  }

  opened(): Opened {
    const leases = this.#statements.rows("SELECT id, ttl FROM lease");
    return {
      revision: this.#revision,
      compactRevision: this.#compacted,
      leases: leases.map(([id, ttl]) => ({ id: id as number, ttl: ttl as number })),
    };
  }

  /** After a commit that failed: what is in memory is what is in the database. */
  rolledBack(): void {
    this.#revision = newestRevision(this.#statements);
    this.#compacted = compactedRevision(this.#statements);
  }

  /** @throws NotFound for a lease that does not exist, ResourceExhausted when full; then nothing was changed */
  apply(request: WriteRequest): WriteReply {
    switch (request.kind) {
      case "transact":
        return this.#transact(request);
      case "grant":
        this.#statements.get("INSERT INTO lease VALUES (?, ?)").run(request.id, request.ttl);
        return this.#unchanged();
      case "revoke":
        return this.#revoke(request.id);
      case "compact":
        this.#compacted = Math.max(this.#compacted, request.revision);
        this.#statements.get("UPDATE mark SET value = ? WHERE name = 'compacted'").run(this.#compacted);
        this.#sweeping = true;
        return this.#unchanged();
      case "raise":
        return this.#raise(request.revision);
    }
  }

  /** The deletion of a key that never was: a revision without a change of anything. */
  #raise(revision: number): WriteReply {
    if (revision > this.#revision) {
      this.#record(keyBytes(RAISED_KEY), revision, 0, 0, 0, true, EMPTY);
      this.#revision = revision;
    }
    return this.#unchanged();
  }

  #unchanged(): WriteReply {
    return { revision: this.#revision, succeeded: true, results: [], events: [] };
  }

  #transact(request: Extract<WriteRequest, { kind: "transact" }>): WriteReply {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const operations = succeeded ? request.success : request.failure;
    const puts = operations.filter(({ kind }) => kind === "put") as readonly Extract<Operation, { kind: "put" }>[];
    for (const { lease = 0 } of puts) this.#checkLease(lease);
    if (puts.length > 0) this.#checkSize();
    const events: WrittenEvent[] = [];
    const revision = this.#revision + 1;
    const results = operations.map((operation, index): OperationResult => {
      switch (operation.kind) {
        case "put":
          events.push(this.#put(operation, index, revision));
          return { kind: "put" };
        case "delete": {
          const gone = this.#delete(operation, revision);
          events.push(...gone);
          return { kind: "delete", deleted: gone.length };
        }
        case "range":
          return { kind: "range", ...readRange(this.#statements, operation.range, operation.options) };
      }
    });
    if (events.length > 0) this.#revision = revision;
    return { revision: this.#revision, succeeded, results, events };
  }

  #checkLease(id: number): void {
    if (id === 0 || this.#statements.row("SELECT 1 FROM lease WHERE id = ?", id) !== undefined) return;
    throw new NotFound(`lease ${id} does not exist`, { subject: { kind: "lease", name: String(id) } });
  }

  #checkSize(): void {
    const value = (name: string) => this.#statements.row(`PRAGMA ${name}`)?.[0] as number;
    const used = (value("page_count") - value("freelist_count")) * value("page_size");
    if (used < this.#maxSize) return;
    throw new ResourceExhausted(`the store is full: ${used} bytes of ${this.#maxSize} are in use`, {
      remedy: "delete something, compact, or allow the store a larger size",
    });
  }

  #live(key: Uint8Array): LiveRow | undefined {
    const row = this.#statements.row("SELECT id, revision, created, version, lease FROM live WHERE key = ?", key);
    if (row === undefined) return undefined;
    const [id, revision, created, version, lease] = row as readonly number[];
    return { id, revision, created, version, lease } as LiveRow;
  }

  #value(id: number): Uint8Array {
    return this.#statements.row("SELECT value FROM history WHERE id = ?", id)?.[0] as Uint8Array;
  }

  #item(id: number): KeyValue {
    return itemOf(this.#statements.row(`SELECT ${ITEM} FROM history h WHERE h.id = ?`, id) ?? []);
  }

  #holds(compare: Compare): boolean {
    const live = this.#live(keyBytes(compare.key));
    if (compare.target === "value") {
      // As in etcd: nothing can be said about the value of what does not exist.
      if (live === undefined) return false;
      return satisfies(Buffer.compare(this.#value(live.id), compare.value), compare.is);
    }
    const marks = {
      modRevision: live?.revision ?? 0,
      createRevision: live?.created ?? 0,
      version: live?.version ?? 0,
      lease: live?.lease ?? 0,
    };
    return satisfies(marks[compare.target] - compare.value, compare.is);
  }

  #put(
    { key, value, lease = 0 }: Extract<Operation, { kind: "put" }>,
    operation: number,
    revision: number,
  ): WrittenEvent {
    const bytes = keyBytes(key);
    const live = this.#live(bytes);
    const [created, version] = live === undefined ? [revision, 1] : [live.created, live.version + 1];
    const id = this.#record(bytes, revision, created, version, lease, false, value);
    this.#statements
      .get("INSERT OR REPLACE INTO live VALUES (?, ?, ?, ?, ?, ?)")
      .run(bytes, id, revision, created, version, lease);
    return {
      kind: "put",
      operation,
      key,
      createRevision: created,
      version,
      lease,
      ...(live !== undefined && { previous: this.#item(live.id) }),
    };
  }

  #record(
    key: Uint8Array,
    revision: number,
    created: number,
    version: number,
    lease: number,
    deleted: boolean,
    value: Uint8Array,
  ): number {
    const { lastInsertRowid } = this.#statements
      .get("INSERT INTO history (revision, key, created, version, lease, deleted, value) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(revision, key, created, version, lease, deleted ? 1 : 0, value);
    return Number(lastInsertRowid);
  }

  #delete({ range }: Extract<Operation, { kind: "delete" }>, revision: number): WrittenEvent[] {
    const { sql, bound } = within("key", range);
    return this.#deleteWhere(sql, bound, revision);
  }

  #deleteWhere(condition: string, bound: readonly (Uint8Array | number)[], revision: number): WrittenEvent[] {
    // What this very transaction put is no older version that could be deleted: a key changes once in a revision.
    const rows = this.#statements.rows(`SELECT key, id FROM live WHERE ${condition} ORDER BY key`, ...bound);
    return rows.map(([key, id]): WrittenEvent => {
      const bytes = key as Uint8Array;
      const previous = this.#item(id as number);
      this.#record(bytes, revision, 0, 0, 0, true, EMPTY);
      this.#statements.get("DELETE FROM live WHERE key = ?").run(bytes);
      return { kind: "delete", key: keyText(bytes), previous };
    });
  }

  #revoke(id: number): WriteReply {
    this.#checkLease(id);
    const events = this.#deleteWhere("lease = ?", [id], this.#revision + 1);
    if (events.length > 0) this.#revision += 1;
    this.#statements.get("DELETE FROM lease WHERE id = ?").run(id);
    return { revision: this.#revision, succeeded: true, results: [], events };
  }

  /**
   * Removes some of the rows that the last compaction gave up.
   *
   * @returns whether there is more to do
   */
  sweep(): boolean {
    if (!this.#sweeping) return false;
    // Ids grow with revisions.
    const rows = this.#statements.rows(
      `SELECT id, key, revision, deleted FROM history WHERE id > ? AND revision <= ? ORDER BY id LIMIT ${STEP}`,
      this.#swept,
      this.#compacted,
    ) as readonly (readonly [number, Uint8Array, number, number])[];
    for (const [id, key, revision, deleted] of rows) {
      this.#statements.get("DELETE FROM history WHERE key = ? AND revision < ?").run(key, revision);
      // What happened at the very revision stays, so that a watch from there tells it; the next sweep looks at it again.
      if (revision === this.#compacted) continue;
      if (deleted === 1) this.#statements.get("DELETE FROM history WHERE id = ?").run(id);
      this.#swept = id;
    }
    const first = rows[0];
    this.#sweeping = rows.length === STEP && first !== undefined && first[2] < this.#compacted;
    return this.#sweeping;
  }

  /** Gives free pages back to the file system. @returns whether there is more to do */
  vacuum(): boolean {
    const free = this.#statements.row("PRAGMA freelist_count")?.[0] as number;
    if (free <= VACUUM.spare) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM.step})`);
    return free - VACUUM.step > VACUUM.spare;
  }
}
