import assert from "node:assert/strict";
import { test } from "node:test";
import { duplicateFields } from "./duplicate-fields.ts";

const cases: readonly [text: string, found: readonly string[]][] = [
  ['{"a":1,"b":{"a":2}}', []],
  ['{"a":1,"a":2,"a":3}', ["a"]],
  ['{"spec":{"items":[{"x":1},{"y":"\\"}","y":[]}]}}', ["spec.items[1].y"]],
  ['{"\\u0061":1,"a":2}', ["a"]],
  ["[]", []],
  ["{a: b}", []],
  ['{"a":', []],
  ["", []],
];

test("fields that a text has twice are found", () => {
  for (const [text, found] of cases) assert.deepEqual(duplicateFields(Buffer.from(text)), found, text);
});

test("very many of them take no time that grows with their square", () => {
  const fields = Array.from({ length: 100_000 }, (_, index) => `"k${index}":1,"k${index}":2`);
  const started = performance.now();
  assert.equal(duplicateFields(Buffer.from(`{${fields.join(",")}}`)).length, fields.length);
  // One look at all that were found for each of them would take a minute.
  assert.ok(performance.now() - started < 10_000);
});
