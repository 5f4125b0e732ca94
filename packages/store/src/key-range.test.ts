import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys, inRange, keyAfter, prefixRange } from "./key-range.ts";

const key = fc.string({ unit: "binary", maxLength: 6 });

test("keys are ordered as their UTF-8 bytes", () => {
  fc.assert(
    fc.property(key, key, (left, right) => {
      assert.equal(Math.sign(compareKeys(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)));
    }),
  );
});

test("a prefix's range has what begins with it and nothing else", () => {
  fc.assert(
    fc.property(key, key, (prefix, other) => {
      assert.equal(inRange(prefix + other, prefixRange(prefix)), true);
      assert.equal(inRange(other, prefixRange(prefix)), other.startsWith(prefix));
    }),
  );
  assert.deepEqual(prefixRange("a\u{d7ff}"), { start: "a\u{d7ff}", end: "a\u{e000}" });
  assert.deepEqual(prefixRange("a\u{10ffff}"), { start: "a\u{10ffff}", end: "b" });
  assert.deepEqual(prefixRange(""), { start: "", end: "" });
});

test("nothing lies between a key and the one after it", () => {
  fc.assert(
    fc.property(key, key, (each, other) => {
      if (compareKeys(other, each) > 0) assert.ok(compareKeys(other, keyAfter(each)) >= 0);
    }),
  );
});
