import type { Statements } from "./rows.ts";

/** What has to be nothing, and what it is when it is not. */
const RULES: readonly (readonly [sql: string, wrong: string])[] = [
  [
    `SELECT live.key FROM live LEFT JOIN history h ON h.id = live.id AND h.key = live.key
      AND h.revision = live.revision AND h.deleted = 0 WHERE h.id IS NULL`,
    "exists, and the version that it should have is not in the history",
  ],
  [
    `SELECT h.key FROM history h WHERE h.deleted = 0
      AND NOT EXISTS (SELECT 1 FROM history n WHERE n.key = h.key AND n.revision > h.revision)
      AND NOT EXISTS (SELECT 1 FROM live WHERE live.key = h.key AND live.id = h.id)`,
    "was put last and not deleted, and does not exist",
  ],
  [
    "SELECT key FROM live WHERE lease != 0 AND lease NOT IN (SELECT id FROM lease)",
    "ends with a lease that does not exist",
  ],
];

/** What is wrong with the file and with what the tables say of each other, a line each. */
export function checkDatabase(statements: Statements): readonly string[] {
  const damage = statements.rows("PRAGMA integrity_check").map(([line]) => String(line));
  if (damage.some((line) => line !== "ok")) return damage;
  return RULES.flatMap(([sql, wrong]) =>
    statements.rows(`${sql} LIMIT 100`).map(([key]) => `${Buffer.from(key as Uint8Array).toString()} ${wrong}`),
  );
}
