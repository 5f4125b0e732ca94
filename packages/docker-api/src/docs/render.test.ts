import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROUTES } from "../routes/index.ts";
import { incompleteRoutes, renderDocs, silentDetails } from "./render.ts";
import { dockerRequests } from "./requests.ts";

test("every endpoint is documented, and the page is what the router says", () => {
  assert.deepEqual(incompleteRoutes(ROUTES), []);
  const page = readFileSync(join(import.meta.dirname, "../../../../docs/docker-api.md"), "utf8");
  assert.equal(page, renderDocs(ROUTES, dockerRequests()), "run: node scripts/docker-api-docs.ts");
});

test("no parameter and no field of Docker's is passed over without a word", () => {
  assert.deepEqual(silentDetails(ROUTES, dockerRequests()), []);
});
