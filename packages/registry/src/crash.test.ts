import assert from "node:assert/strict";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { killRounds } from "./testing/kill-rounds.ts";

/** A hundred by `npm run soak`. */
const ROUNDS = Number(process.env["BOXSHIP_KILL_ROUNDS"] ?? "4");

test("nothing that was acknowledged is lost to kill -9 during push, pull and collection", async () => {
  await using directory = tempDir("registry-crash");
  const result = await killRounds({ rounds: ROUNDS, root: directory.path });
  assert.ok(result.blobs > 0 && result.pulls > 0, JSON.stringify(result));
});
