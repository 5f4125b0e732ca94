import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { renderDocs } from "../packages/apiserver/src/docs/render-docs.ts";

// Writes docs/kubernetes-api.md from the kinds that are served; with --check it only says whether the page is up to date.
const page = resolve(import.meta.dirname, "../docs/kubernetes-api.md");
const text = renderDocs("scripts/kubernetes-api-docs.ts");
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (!existsSync(page) || readFileSync(page, "utf8") !== text) {
  process.stderr.write("docs/kubernetes-api.md is not what the server says: run node scripts/kubernetes-api-docs.ts\n");
  process.exitCode = 1;
}
