import assert from "node:assert/strict";
import { test } from "node:test";
import { isObject } from "@boxship/api";
import { BoxshipError } from "@boxship/base";
import fc from "fast-check";
import { LARGEST_OBJECT } from "../storage/object-bytes.ts";
import { checkShape } from "./check-shape.ts";

const refused = (text: string, words: RegExp): void =>
  assert.throws(
    () => checkShape(text),
    (error: unknown) => error instanceof BoxshipError && words.test(error.message),
  );

test("what could never be kept is refused before anything is made of it", () => {
  refused("[".repeat(1_400_000), /exceeded max depth/);
  refused(`${'{"a":'.repeat(1001)}1${"}".repeat(1001)}`, /exceeded max depth/);
  refused(
    JSON.stringify(Object.fromEntries(Array.from({ length: 80_000 }, (_, at) => [`k${at}`, ""]))),
    /75000 fields/,
  );
  refused(`[${"{},".repeat(150_000)}{}]`, /more than 150000 objects/);
  refused(JSON.stringify({ a: "x".repeat(LARGEST_OBJECT) }), /the object has \d{7} bytes, of at most 1568768/);
});

test("what may become smaller passes: escapes, white space, brackets in texts, long lists", () => {
  checkShape(`{"a":"${"\\u003c".repeat(500_000)}"}`);
  checkShape(`{"a":1${" ".repeat(2_000_000)}}`);
  checkShape(`{"a":"${"[{".repeat(100_000)}","b":"\\"[[[[\\\\"}`);
  checkShape(JSON.stringify({ a: Array.from({ length: 200_000 }, () => 1) }));
  fc.assert(
    fc.property(fc.json({ maxDepth: 20 }), (text) => {
      checkShape(text);
      // The same with 1.5 megabytes in it does not.
      const value: unknown = JSON.parse(text);
      if (isObject(value)) refused(JSON.stringify({ ...value, [`${text} `]: "x".repeat(LARGEST_OBJECT) }), /too large/);
    }),
    { numRuns: 30 },
  );
});
