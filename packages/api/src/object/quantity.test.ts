import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addQuantities, formatQuantity, parseQuantity } from "./quantity.ts";

const shown = (text: string): string | undefined => {
  const quantity = parseQuantity(text);
  return quantity === undefined ? undefined : formatQuantity(quantity);
};

test("quantities are read and written as upstream does", () => {
  const cases: readonly [string, string | undefined][] = [
    ["0", "0"],
    ["1", "1"],
    ["1000m", "1"],
    ["1500m", "1500m"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["1.", "1"],
    ["1024", "1024"],
    ["1000", "1k"],
    ["1024Ki", "1Mi"],
    ["1.5Gi", "1536Mi"],
    ["0.5Ki", "512"],
    ["1e3", "1e3"],
    ["1E3", "1e3"],
    ["1E", "1E"],
    ["100n", "100n"],
    ["0.1n", "1n"],
    ["-1500Mi", "-1500Mi"],
    ["+3", "3"],
    ["10000000k", "10G"],
    ["", undefined],
    [".", undefined],
    ["1 Gi", undefined],
    ["1gi", undefined],
    ["ten", undefined],
    ["1e99999", undefined],
    ["9".repeat(1_000_000), "9223372036854775807"],
    [`-${"9".repeat(1_000_000)}Ki`, "-9223372036854775807"],
    [`${"0".repeat(1_000_000)}7`, "7"],
    [`0.5${"0".repeat(1_000_000)}`, "500m"],
    [`0.5${"0".repeat(1_000_000)}1`, "500000001n"],
  ];
  for (const [text, expected] of cases) assert.equal(shown(text), expected, text);
});

test("what is written reads as the same", () => {
  const text = fc
    .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom("", "m", "k", "M", "Ki", "Mi", "Gi", "e3", "e-6"))
    .map(([number, suffix]) => `${number}${suffix}`);
  fc.assert(
    fc.property(text, text, (left, right) => {
      const [one, other] = [parseQuantity(left), parseQuantity(right)];
      if (one === undefined || other === undefined) return false;
      const sum = addQuantities(one, other);
      return parseQuantity(formatQuantity(sum))?.nano === sum.nano;
    }),
  );
});
