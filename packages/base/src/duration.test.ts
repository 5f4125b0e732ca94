import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { goDuration, parseDuration } from "./duration.ts";
import { InvalidArgument } from "./errors.ts";

const READ: readonly (readonly [text: string, nanoseconds: number])[] = [
  ["0", 0],
  ["-0", 0],
  ["5s", 5e9],
  ["+5s", 5e9],
  ["-300ms", -300e6],
  ["1h15m30.5s", 4530.5e9],
  [".5s", 5e8],
  ["1.s", 1e9],
  ["3us", 3000],
  ["3µs", 3000],
  ["3μs", 3000],
  ["7ns", 7],
  ["30m1h", 5400e9],
];

const REFUSED: readonly (readonly [text: string, words: string])[] = [
  ["", 'time: invalid duration ""'],
  ["-", 'time: invalid duration "-"'],
  ["s", 'time: invalid duration "s"'],
  ["..5s", 'time: invalid duration "..5s"'],
  ["3", 'time: missing unit in duration "3"'],
  ["1h3", 'time: missing unit in duration "1h3"'],
  ["3d", 'time: unknown unit "d" in duration "3d"'],
  ["3toString", 'time: unknown unit "toString" in duration "3toString"'],
  ["9999999h", 'time: invalid duration "9999999h"'],
];

for (const [text, nanoseconds] of READ) {
  test(`${text} is ${nanoseconds} ns`, () =>
    assert.equal(Object.is(parseDuration(text), -0) ? 0 : parseDuration(text), nanoseconds));
}

for (const [text, message] of REFUSED) {
  test(`${JSON.stringify(text)} is refused in Go's words`, () =>
    assert.throws(() => parseDuration(text), { name: "InvalidArgument", message }));
}

test("a duration put together from its parts is their sum", () => {
  const part = fc.nat({ max: 59 });
  fc.assert(
    fc.property(part, part, part, (hours, minutes, seconds) => {
      assert.equal(parseDuration(`${hours}h${minutes}m${seconds}s`), (hours * 3600 + minutes * 60 + seconds) * 1e9);
    }),
  );
});

test("any other text is a number or an InvalidArgument", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+]?[0-9.]*[a-zµ]*[0-9.]*[a-z]*$/)), (text) => {
      try {
        assert.ok(Number.isFinite(parseDuration(text)));
      } catch (error) {
        assert.ok(error instanceof InvalidArgument);
      }
    }),
  );
});

test("nanoseconds are printed as Go does", () => {
  const printed = [0, 7, 1500, 300e6, 1.5e9, 60e9, 150e9, 3600e9, 7200.5e9, -300e6].map(goDuration);
  assert.deepEqual(printed, ["0s", "7ns", "1.5µs", "300ms", "1.5s", "1m0s", "2m30s", "1h0m0s", "2h0m0.5s", "-300ms"]);
});

test("what was printed is read as the same duration", () => {
  const most = 2 ** 52;
  fc.assert(
    fc.property(fc.integer({ min: -most, max: most }), (ns) => assert.equal(parseDuration(goDuration(ns)), ns)),
  );
});
