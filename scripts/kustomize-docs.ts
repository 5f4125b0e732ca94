import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { renderTables } from "../packages/kustomize/src/docs/render.ts";

// Writes the tables of docs/kustomize.md from the code; with --check it only says whether they are up to date.
const MARK = "<!-- tables: written by scripts/kustomize-docs.ts -->\n";
const page = resolve(import.meta.dirname, "../docs/kustomize.md");
const before = readFileSync(page, "utf8");
const at = before.indexOf(MARK);
if (at < 0) throw new Error("docs/kustomize.md has no place for its tables");
const text = `${before.slice(0, at)}${MARK}\n${renderTables()}`;
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (before !== text) {
  process.stderr.write("docs/kustomize.md is not what the code says: run node scripts/kustomize-docs.ts\n");
  process.exitCode = 1;
}
