import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { assert as check, jsonValue, property } from "fast-check";
import { countMembers, duplicateKey, surveyJson } from "./strict-json.ts";

test("a key that an object has twice is found, wherever it is", () => {
  for (const [json, key] of [
    ['{"a":1,"a":2}', "a"],
    ['[{"x":{"b":[],"c":1,"b":{}}}]', "b"],
    ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', undefined],
    ['{"a":"\\"a\\":","b":"{\\"a\\""}', undefined],
    ['{"\\u0061":1,"a":2}', "a"],
    ['{"a" : 1, "a"\n: 2}', "a"],
    ["[]", undefined],
  ] as const) {
    equal(duplicateKey(json), key, json);
  }
});

test("what a program writes has none", () => {
  check(property(jsonValue(), (value) => deepEqual(duplicateKey(JSON.stringify(value)), undefined)));
});

test("strings end where they end, with any number of backslashes", () => {
  for (let count = 0; count < 6; count++) {
    const value = JSON.stringify("\\".repeat(count));
    equal(duplicateKey(`{"a":${value},"b":${value},"a":1}`), "a");
    equal(duplicateKey(`{"a":${value},"b":"\\"a\\":"}`), undefined);
  }
  equal(duplicateKey('{"a":1,"a'), undefined);
});

test("a key that is there twice is told by their number", () => {
  const unlimited = { depth: Infinity, values: Infinity };
  const lost = (json: string) => surveyJson(Buffer.from(json), unlimited).members - countMembers(JSON.parse(json));
  check(property(jsonValue(), (value) => equal(lost(JSON.stringify(value)), 0)));
  equal(lost('{"a":1,"b":[{"a:":":","c":1,"a:":{}}]}'), 1);
  equal(lost('{"__proto__":{"__proto__":1},"constructor":null}'), 0);
  equal(lost('{"\\u0061":1,"a":{"x":1}}'), 1);
});

test("how many values a document has is told without parsing it", () => {
  const count = (value: unknown): number =>
    1 +
    (typeof value === "object" && value !== null ? Object.values(value).reduce((sum, one) => sum + count(one), 0) : 0);
  const exceeded = (value: unknown, values: number) =>
    surveyJson(Buffer.from(JSON.stringify(value)), { depth: Infinity, values }).exceeded;
  check(
    property(jsonValue(), (value) => {
      const values = count(value);
      equal(exceeded(value, 2 * values), undefined);
      if (values > 1) equal(exceeded(value, Math.floor(values / 2) - 1), "values");
    }),
  );
  equal(exceeded([",,,,,", "[[[["], 4), undefined);
});

test("how deep a document is nested is told without parsing it", () => {
  const deep = (depth: number) => Buffer.from("[".repeat(depth) + "]".repeat(depth));
  const isDeeper = (json: Buffer, depth: number) => surveyJson(json, { depth, values: Infinity }).exceeded === "depth";
  deepEqual([isDeeper(deep(10), 10), isDeeper(deep(11), 10)], [false, true]);
  equal(isDeeper(Buffer.from(JSON.stringify({ a: '[[[["[[[', "[[[": [1] })), 2), false);
  check(property(jsonValue({ maxDepth: 5 }), (value) => equal(isDeeper(Buffer.from(JSON.stringify(value)), 6), false)));
});
