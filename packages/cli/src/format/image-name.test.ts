import assert from "node:assert/strict";
import { test } from "node:test";
import { invalidReference } from "./image-name.ts";

test("names with capitals are refused in Docker's words, without their registry", () => {
  const words = (name: string) => `invalid reference format: repository name (${name}) must be lowercase`;
  assert.equal(invalidReference("127.0.0.1:5000/team/UP:1"), words("team/UP"));
  assert.equal(invalidReference("UP:1"), words("library/UP"));
  assert.equal(invalidReference("a/UP"), words("a/UP"));
  assert.equal(invalidReference("localhost/UP/x:2"), words("UP/x"));
  assert.equal(invalidReference(`team/UP@sha256:${"0".repeat(64)}`), words("team/UP@sha256"));
  assert.equal(invalidReference("team//x"), "invalid reference format");
});
