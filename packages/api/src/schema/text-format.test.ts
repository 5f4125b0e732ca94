import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textProblem } from "./text-format.ts";

const LAYOUT = `as "2006-01-02T15:04:05Z07:00": cannot parse`;
const REGEX = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const cases: readonly (readonly [format: string, text: string, problem: string | undefined])[] = [
  ["quantity", "1", undefined],
  ["quantity", " 1.5Gi ", undefined],
  ["quantity", "+.5e-3", undefined],
  ["quantity", "", REGEX],
  ["quantity", "many", REGEX],
  ["quantity", "1.2.3", REGEX],
  ["quantity", "1Kn", "unable to parse quantity's suffix"],
  ["date-time", "2026-02-28T23:59:59.123456Z", undefined],
  ["date-time", "2024-02-29T00:00:00-07:00", undefined],
  ["date-time", "", `parsing time "" ${LAYOUT} "" as "2006"`],
  ["date-time", "soon", `parsing time "soon" ${LAYOUT} "soon" as "2006"`],
  ["date-time", "2026-02-28", `parsing time "2026-02-28" ${LAYOUT} "" as "T"`],
  ["date-time", "2026-02-28T1:00:00Z", `parsing time "2026-02-28T1:00:00Z" ${LAYOUT} "1:00:00Z" as "15"`],
  ["date-time", "2026-02-28T01:00:00", `parsing time "2026-02-28T01:00:00" ${LAYOUT} "" as "Z07:00"`],
  ["date-time", "2026-02-29T01:00:00Z", `parsing time "2026-02-29T01:00:00Z": day out of range`],
  ["date-time", "2026-13-01T01:00:00Z", `parsing time "2026-13-01T01:00:00Z": month out of range`],
  ["date-time", "2026-12-01T24:00:00Z", `parsing time "2026-12-01T24:00:00Z": hour out of range`],
  ["byte", "YWJj\nZA==", undefined],
  ["byte", "YW%j", "illegal base64 data at input byte 2"],
  ["byte", "YWJjZ", "illegal base64 data at input byte 4"],
  ["int-or-string", "anything", undefined],
];

test("texts of a form of their own are refused in the words of Go's decoders", () => {
  for (const [format, text, problem] of cases) assert.equal(textProblem(format, text), problem, `${format} ${text}`);
});

test("what is right is taken", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date("9999-12-31T00:00:00Z"), noInvalidDate: true }),
      fc.uint8Array(),
      fc.integer(),
      (date, bytes, number) => {
        assert.equal(textProblem("date-time", date.toISOString()), undefined);
        assert.equal(textProblem("byte", Buffer.from(bytes).toString("base64")), undefined);
        assert.equal(textProblem("quantity", `${number}m`), undefined);
      },
    ),
  );
});
