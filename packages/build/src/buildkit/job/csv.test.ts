import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { parseCsv } from "./csv.ts";

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

test("fields are read as they were written, quoted or not", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
      assert.deepEqual(parseCsv(fields.map(quoted).join(","), "test"), fields);
      const plain = fields.filter((text) => !/[",]/.test(text) && text !== "");
      assert.deepEqual(parseCsv(plain.join(","), "test"), plain);
    }),
  );
});

test("nothing has no fields; a quote in the wrong place is refused", () => {
  assert.deepEqual(parseCsv(undefined, "test"), []);
  assert.deepEqual(parseCsv("", "test"), []);
  assert.deepEqual(parseCsv("a,,b", "test"), ["a", "", "b"]);
  for (const text of ['a"b', '"a', '"a"b', 'a,"b"c'])
    assert.throws(() => parseCsv(text, "test"), InvalidArgument, text);
});
