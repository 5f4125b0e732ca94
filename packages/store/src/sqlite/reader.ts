import type { KeyRange, KeyValue, RangeOptions, RangeResult } from "../contract.ts";
import type { HistoryPage, HistoryRow } from "./protocol.ts";
import { EMPTY, ITEM, itemOf, keyBytes, keyText, newestRevision, type Statements, within } from "./rows.ts";

/** Rows of one page of history: large enough to be quick, small enough to be sent between threads at once. */
const PAGE = 1000;

/**
 * Reads one revision, whole. The caller has looked whether `options.revision` is kept, and holds a transaction open, or
 * is the only writer.
 */
export function readRange(statements: Statements, range: KeyRange, options: RangeOptions = {}): RangeResult {
  const newest = newestRevision(statements);
  const { limit = 0, keysOnly = false, countOnly = false, revision = newest } = options;
  const { from, bound } = revision >= newest ? fromLive(range) : fromHistory(range, revision);
  const { sql } = from;
  const total = () => statements.row(`SELECT count(*) ${sql}`, ...bound)?.[0] as number;
  if (countOnly) return { revision: newest, items: [], count: total(), more: false };
  const columns = keysOnly ? ITEM.replace("h.value", "NULL") : ITEM;
  const rows = statements.rows(
    `SELECT ${columns} ${from.joined} ORDER BY ${from.key} ${limit > 0 ? "LIMIT ?" : ""}`,
    ...bound,
    ...(limit > 0 ? [limit] : []),
  );
  const items = rows.map((row) => (keysOnly ? { ...itemOf(row), value: EMPTY } : itemOf(row)));
  const count = limit > 0 && items.length === limit ? total() : items.length;
  return { revision: newest, items, count, more: count > items.length };
}

interface Source {
  /** What is counted. */
  readonly sql: string;
  /** The same, with the rows of history as `h`. */
  readonly joined: string;
  readonly key: string;
}

function fromLive(range: KeyRange): { from: Source; bound: Uint8Array[] } {
  const { sql, bound } = within("live.key", range);
  return {
    from: {
      sql: `FROM live WHERE ${sql}`,
      joined: `FROM live JOIN history h ON h.id = live.id WHERE ${sql}`,
      key: "live.key",
    },
    bound,
  };
}

/** Of each key its newest version up to the revision, unless that deleted it. */
function fromHistory(range: KeyRange, revision: number): { from: Source; bound: (Uint8Array | number)[] } {
  const { sql, bound } = within("h.key", range);
  const text = `FROM history h WHERE ${sql} AND h.revision <= ? AND h.deleted = 0 AND NOT EXISTS (
    SELECT 1 FROM history n WHERE n.key = h.key AND n.revision > h.revision AND n.revision <= ?)`;
  return { from: { sql: text, joined: text, key: "h.key" }, bound: [...bound, revision, revision] };
}

/** One key as it is now, and the newest revision, in one statement: so that both are of one moment. */
export function readKey(statements: Statements, key: string): RangeResult {
  const row = statements.row(
    `SELECT ${ITEM}, head.revision FROM (SELECT max(revision) AS revision FROM history) head
      LEFT JOIN live ON live.key = ? LEFT JOIN history h ON h.id = live.id`,
    keyBytes(key),
  );
  const revision = (row?.[6] as number | null | undefined) ?? 1;
  const items = row === undefined || row[0] === null ? [] : [itemOf(row)];
  return { revision, items, count: items.length, more: false };
}

/** The version of a key that the one at `revision` replaced. */
function replacedAt(statements: Statements, key: string, revision: number): KeyValue | undefined {
  const row = statements.row(
    `SELECT ${ITEM}, h.deleted FROM history h WHERE h.key = ? AND h.revision < ? ORDER BY h.revision DESC LIMIT 1`,
    keyBytes(key),
    revision,
  );
  return row === undefined || row[6] !== 0 ? undefined : itemOf(row);
}

/** What happened in a range from a revision on: about a thousand changes, but always whole revisions. */
export function readHistory(statements: Statements, range: KeyRange, from: number, previous: boolean): HistoryPage {
  const { sql, bound } = within("h.key", range);
  const select = `SELECT ${ITEM}, h.deleted FROM history h WHERE`;
  const newest = newestRevision(statements);
  let rows = statements.rows(
    `${select} h.revision >= ? AND ${sql} ORDER BY h.revision, h.id LIMIT ${PAGE}`,
    from,
    ...bound,
  );
  let upTo = newest;
  if (rows.length === PAGE) {
    // The last revision may go on behind the page.
    upTo = rows.at(-1)?.[1] as number;
    const whole = rows.filter((row) => row[1] !== upTo);
    rows = [...whole, ...statements.rows(`${select} h.revision = ? AND ${sql} ORDER BY h.id`, upTo, ...bound)];
  }
  const history = rows.map((row): HistoryRow => {
    const item = itemOf(row);
    const replaced = previous ? replacedAt(statements, item.key, item.modRevision) : undefined;
    return { item, deleted: row[6] !== 0, ...(replaced !== undefined && { previous: replaced }) };
  });
  return { rows: history, upTo };
}

export function readLeaseKeys(statements: Statements, lease: number): string[] {
  return statements.rows("SELECT key FROM live WHERE lease = ? ORDER BY key", lease).map(([key]) => keyText(key));
}
