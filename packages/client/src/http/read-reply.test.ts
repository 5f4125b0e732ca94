import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { Json } from "@boxship/api";
import fc from "fast-check";
import { readLines } from "./read-reply.ts";
import { readSharedLine } from "./shared-lines.ts";

async function all(chunks: readonly Buffer[], read?: (line: string) => Json): Promise<readonly Json[]> {
  const lines: Json[] = [];
  for await (const line of readLines(Readable.from(chunks, { objectMode: true }), read)) lines.push(line);
  return lines;
}

test("lines are the same however they are cut into pieces", async () => {
  const values = fc.array(
    fc.record({ text: fc.string({ unit: "grapheme" }), number: fc.integer() }, { noNullPrototype: true }),
  );
  await fc.assert(
    fc.asyncProperty(values, fc.array(fc.nat(200)), fc.constantFrom("\n", "\r\n"), async (objects, cuts, end) => {
      const bytes = Buffer.from(objects.map((one) => JSON.stringify(one) + end).join(""));
      const places = [...new Set(cuts.filter((at) => at < bytes.length))].sort((left, right) => left - right);
      const chunks = [0, ...places].map((at, index) => bytes.subarray(at, places[index] ?? bytes.length));
      assert.deepEqual(await all(chunks), objects);
    }),
  );
});

test("a last line needs no end, and empty ones are none", async () => {
  assert.deepEqual(await all([Buffer.from('1\n\n{"a"'), Buffer.from(":2}")]), [1, { a: 2 }]);
});

test("who reads the same line at about the same time has the same frozen object", async () => {
  const line = Buffer.from('{"object":{"list":[1]}}\n');
  const [[first], [second]] = await Promise.all([all([line], readSharedLine), all([line], readSharedLine)]);
  assert.equal(first, second);
  assert.ok(Object.isFrozen((first as { object: { list: number[] } }).object.list));
});
