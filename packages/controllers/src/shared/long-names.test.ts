import assert from "node:assert/strict";
import { test } from "node:test";
import { indexedPrefix, nameWithHash, podPrefix } from "./long-names.ts";

test("long names leave room for what is put behind them", () => {
  const long = "n".repeat(253);
  assert.deepEqual(
    [nameWithHash("web", "abc12"), podPrefix("web"), indexedPrefix("web", 7)],
    ["web-abc12", "web-", "web-7-"],
  );
  assert.deepEqual([nameWithHash(long, "abc12").length, nameWithHash(long, "abc12").slice(-7)], [253, "n-abc12"]);
  assert.deepEqual([podPrefix(long).length, podPrefix(long.slice(1)).length], [253, 253]);
  assert.deepEqual([indexedPrefix(long, 12).length, indexedPrefix(long, 12).slice(-5)], [58, "n-12-"]);
});
