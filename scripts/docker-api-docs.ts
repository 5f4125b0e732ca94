import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { renderDocs } from "../packages/docker-api/src/docs/render.ts";
import { dockerRequests } from "../packages/docker-api/src/docs/requests.ts";
import { ROUTES } from "../packages/docker-api/src/routes/index.ts";

// Writes docs/docker-api.md from the router's table; with --check it only says whether the page is up to date.
const page = resolve(import.meta.dirname, "../docs/docker-api.md");
const text = renderDocs(ROUTES, dockerRequests());
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  process.stderr.write("docs/docker-api.md is not what the router says: run node scripts/docker-api-docs.ts\n");
  process.exitCode = 1;
}
