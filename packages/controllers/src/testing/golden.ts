import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

/** Compares a history with the one that is kept; `UPDATE_GOLDEN=1` keeps this one. */
export function assertGolden(file: URL, lines: readonly string[]): void {
  const text = `${lines.join("\n")}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"), file.pathname);
}
