import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";

test("gives back in order what was put in, whatever comes between", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: undefined })), (steps) => {
      const heap = new Heap<number>((left, right) => left - right);
      const expected: number[] = [];
      for (const step of steps) {
        if (step === undefined) assert.equal(heap.pop(), expected.shift());
        else {
          heap.push(step);
          expected.push(step);
          expected.sort((left, right) => left - right);
        }
        assert.equal(heap.size, expected.length);
      }
    }),
  );
});
