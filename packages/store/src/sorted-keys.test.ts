import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys } from "./key-range.ts";
import { SortedKeys } from "./sorted-keys.ts";

test("a part of the keys is in their order, and is counted without being made", () => {
  const keys = fc.array(fc.string({ unit: "grapheme", maxLength: 3 }));
  const bound = fc.string({ maxLength: 2 });
  fc.assert(
    fc.property(keys, keys, bound, bound, fc.nat(5), (added, deleted, start, end, most) => {
      const sorted = new SortedKeys();
      for (const key of added) sorted.add(key);
      for (const key of deleted) sorted.delete(key);
      const all = [...new Set(added).difference(new Set(deleted))].sort(compareKeys);
      const part = all.filter((key) => compareKeys(key, start) >= 0 && (end === "" || compareKeys(key, end) < 0));
      assert.deepEqual(sorted.between(start, end), part);
      assert.deepEqual(sorted.between(start, end, most), part.slice(0, most));
      assert.equal(sorted.count(start, end), part.length);
    }),
  );
});
