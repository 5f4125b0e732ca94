import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { KeyRange, KeyValue } from "../contract.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const EMPTY = new Uint8Array(0);

export function keyBytes(key: string): Uint8Array {
  return encoder.encode(key);
}

export function keyText(bytes: unknown): string {
  return decoder.decode(bytes as Uint8Array);
}

/** Columns of {@link itemOf}, in its order. */
export const ITEM = "h.key, h.revision, h.created, h.version, h.lease, h.value";

/** A row of {@link ITEM}, as an array. */
export function itemOf(row: readonly unknown[]): KeyValue {
  return {
    key: keyText(row[0]),
    modRevision: row[1] as number,
    createRevision: row[2] as number,
    version: row[3] as number,
    lease: row[4] as number,
    value: row[5] as Uint8Array,
  };
}

/** SQL for a column within a range, and what is bound to it. */
export function within(
  column: string,
  { start, end }: KeyRange,
): { readonly sql: string; readonly bound: Uint8Array[] } {
  if (end === undefined) return { sql: `${column} = ?`, bound: [keyBytes(start)] };
  if (end === "") return { sql: `${column} >= ?`, bound: [keyBytes(start)] };
  return { sql: `${column} >= ? AND ${column} < ?`, bound: [keyBytes(start), keyBytes(end)] };
}

/** Statements by their text, prepared once; rows come as arrays. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReturnArrays(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  row(sql: string, ...bound: readonly (number | Uint8Array | string)[]): readonly unknown[] | undefined {
    return this.get(sql).get(...bound) as readonly unknown[] | undefined;
  }

  rows(sql: string, ...bound: readonly (number | Uint8Array | string)[]): readonly (readonly unknown[])[] {
    return this.get(sql).all(...bound) as unknown as readonly (readonly unknown[])[];
  }
}

/** The newest revision; 1 before anything was written, as in etcd. */
export function newestRevision(statements: Statements): number {
  return (statements.row("SELECT max(revision) FROM history")?.[0] as number | null) ?? 1;
}

export function compactedRevision(statements: Statements): number {
  return statements.row("SELECT value FROM mark WHERE name = 'compacted'")?.[0] as number;
}
