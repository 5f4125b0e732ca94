import assert from "node:assert/strict";
import { test } from "node:test";
import { indented } from "./indented.ts";

test("values stand on lines of their own, as they were written", () => {
  const value = { a: [1, { b: [] }, 'x{,:]"\\ é'], c: {}, d: null, e: [[true]] };
  assert.equal(indented(JSON.stringify(value)), JSON.stringify(value, undefined, 2));
  assert.equal(
    indented(`{"b":12345678901234567890,"a":"\\u003c"}\n`),
    `{\n  "b": 12345678901234567890,\n  "a": "\\u003c"\n}\n`,
  );
});
