import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isBigInteger, parseJson } from "./big-integer.ts";
import { deepCopy, deepEqual, isObject, type Json } from "./json.ts";

test("integers of 64 bits keep their digits", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.nat(40), (value, before) => {
      const text = `{"x":"${"1 ".repeat(before)}","a":[${value},{"b":${value}}],"c":"${value}"}`;
      const parsed = parseJson(text);
      assert.equal(JSON.stringify(parsed), text);
      assert.equal(JSON.stringify(deepCopy(parsed)), text);
      assert.ok(deepEqual(parsed, parseJson(text)));
    }),
  );
});

test("what is larger, or no integer, is a number; and a large integer is no object", () => {
  const [huge, real, large] = parseJson(
    "[99999999999999999999, 12345678901234567890.5, 1234567890123456789]",
  ) as Json[];
  assert.deepEqual([huge, real], [1e20, 12345678901234567000]);
  assert.ok(isBigInteger(large) && !isObject(large));
  assert.ok(!deepEqual(large, parseJson("[ 1234567890123456788]")));
  assert.throws(() => parseJson('{"a": 12345678901234567890'), SyntaxError);
});
