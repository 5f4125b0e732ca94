import { equal } from "node:assert/strict";
import { test } from "node:test";
import { createdSeconds } from "./image-config.ts";

test("what an image says of its time is a time, whatever it says", () => {
  for (const [created, told] of [
    ["2026-01-02T03:04:05.678901234+01:00", "2026-01-02T02:04:05Z"],
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"],
    [undefined, "1970-01-01T00:00:00Z"],
    ["yesterday", "1970-01-01T00:00:00Z"],
    ["2026-13-45T99:00:00Z", "1970-01-01T00:00:00Z"],
    ["0000-01-01T00:00:00+01:00", "1970-01-01T00:00:00Z"],
  ] as const) {
    equal(createdSeconds({ created }), told, created ?? "nothing");
  }
});
