import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROUTES } from "../routes/index.ts";
import { incompleteRoutes, renderDocs } from "./render.ts";

test("every endpoint is documented, and the page is what the router says", () => {
  assert.deepEqual(incompleteRoutes(ROUTES), []);
  const page = readFileSync(join(import.meta.dirname, "../../../../docs/docker-api.md"), "utf8");
  assert.equal(page, renderDocs(ROUTES), "run: node scripts/docker-api-docs.ts");
});
