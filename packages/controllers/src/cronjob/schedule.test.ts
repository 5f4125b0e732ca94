import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { parseSchedule } from "./schedule.ts";
import { inZone } from "./time-zone.ts";

/** Schedule, zone, from, and the times that follow. */
const TIMES: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["*/15 * * * *", "UTC", "2024-01-01T00:00:00Z", ["2024-01-01T00:15:00Z", "2024-01-01T00:30:00Z"]],
  ["0 0 * * mon-fri", "UTC", "2024-01-05T12:00:00Z", ["2024-01-08T00:00:00Z", "2024-01-09T00:00:00Z"]],
  [
    "0 0 13 * FRI",
    "UTC",
    "2024-01-01T00:00:00Z",
    ["2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z", "2024-01-13T00:00:00Z"],
  ],
  ["0 0 29 2 *", "UTC", "2024-03-01T00:00:00Z", ["2028-02-29T00:00:00Z"]],
  [
    "5,10-12/2 3 1 jan,Dec *",
    "UTC",
    "2024-01-01T03:05:00Z",
    ["2024-01-01T03:10:00Z", "2024-01-01T03:12:00Z", "2024-12-01T03:05:00Z"],
  ],
  ["@hourly", "UTC", "2024-01-01T00:00:01Z", ["2024-01-01T01:00:00Z"]],
  ["@every 1h30m", "UTC", "2024-01-01T00:00:00Z", ["2024-01-01T01:30:00Z", "2024-01-01T03:00:00Z"]],
  ["30 8 * * *", "Asia/Kolkata", "2024-01-01T00:00:00Z", ["2024-01-01T03:00:00Z"]],
  // The clocks leave 02:30 out on the 31st of March, and have it twice on the 27th of October.
  ["30 2 * * *", "Europe/Berlin", "2024-03-30T02:00:00Z", ["2024-04-01T00:30:00Z"]],
  ["30 2 * * *", "Europe/Berlin", "2024-10-26T12:00:00Z", ["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"]],
];

for (const [text, zone, from, want] of TIMES) {
  test(`${text} in ${zone} after ${from}`, () => {
    const schedule = parseSchedule(text, zone);
    let at = Date.parse(from);
    const times = want.map(() => {
      at = schedule.next(at) ?? Number.NaN;
      return inZone(at, "UTC");
    });
    assert.deepEqual(times, want);
  });
}

test("what is no schedule is refused, with what is wrong", () => {
  for (const [text, message] of [
    ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
    ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ["@sometimes", "unrecognized descriptor: @sometimes"],
  ] as const) {
    assert.throws(() => parseSchedule(text, "UTC"), new InvalidArgument(message));
  }
  assert.equal(parseSchedule("0 0 30 2 *", "UTC").next(0), undefined);
});

test("times go up, and every time is one", () => {
  const field = (least: number, most: number) =>
    fc.oneof(fc.constant("*"), fc.integer({ min: least, max: most }).map(String));
  const schedules = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6));
  const zones = fc.constantFrom("UTC", "America/New_York", "Australia/Lord_Howe");
  fc.assert(
    fc.property(schedules, zones, fc.integer({ min: 0, max: 2e12 }), (fields, zone, from) => {
      const schedule = parseSchedule(fields.join(" "), zone);
      const time = schedule.next(from);
      if (time === undefined) return;
      assert.ok(time > from);
      const minute = new Date(Date.parse(inZone(time, zone).slice(0, 19).concat("Z"))).getUTCMinutes();
      if (fields[0] !== "*") assert.equal(minute, Number(fields[0]));
    }),
    { numRuns: 50 },
  );
});
