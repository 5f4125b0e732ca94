import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { assert as check, jsonValue, property } from "fast-check";
import { duplicateKey } from "./strict-json.ts";

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
