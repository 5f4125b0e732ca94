import { tryParseDuration } from "@boxship/base";
import {
  anyType,
  int64Type,
  intType,
  named,
  stringType,
  structOf,
  type TemplateFunction,
  typed,
  Value,
  valueOf,
} from "@boxship/template";
import { durationText, fieldsOf, findZone, type GoTime, localZone, timeOf, ZERO_TIME } from "./go-time.ts";
import { define, toInteger } from "./go-values.ts";
import { formatTime, parseTime } from "./time-layout.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const SECOND = 1_000_000_000n;

const durationType = named("time.Duration", int64Type, { text: (raw) => durationText(raw as bigint) });
const monthType = named("time.Month", intType, { text: (raw) => MONTHS[Number(raw) - 1] ?? "" });
const weekdayType = named("time.Weekday", intType, { text: (raw) => DAYS[Number(raw)] ?? "" });

const text = (time: GoTime): string => formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST");

const timeType = structOf("time.Time", [], {
  text: (raw) => text(raw as GoTime),
  json: (raw) => formatTime(raw as GoTime, "2006-01-02T15:04:05.999999999Z07:00"),
});
const field = (name: Exclude<keyof ReturnType<typeof fieldsOf>, "zone">) => ({
  params: [],
  call: (time: GoTime) => BigInt(fieldsOf(time)[name]),
});
const since = (divisor: bigint) => ({
  params: [],
  call: ({ nanoseconds }: GoTime) => typed(int64Type, floor(nanoseconds, divisor)),
});
const comparing = (call: (a: bigint, b: bigint) => unknown) => ({
  params: [timeType],
  call: (time: GoTime, other: Value) => call(time.nanoseconds, (other.raw as GoTime).nanoseconds),
});
const floor = (value: bigint, by: bigint): bigint => (value - (((value % by) + by) % by)) / by;

Object.assign(timeType, {
  methods: {
    Format: { params: [stringType], call: formatTime },
    String: { params: [], call: text },
    Unix: since(SECOND),
    UnixMilli: since(1_000_000n),
    UnixMicro: since(1_000n),
    UnixNano: since(1n),
    Year: field("year"),
    YearDay: field("yearDay"),
    Day: field("day"),
    Hour: field("hour"),
    Minute: field("minute"),
    Second: field("second"),
    Nanosecond: field("nanosecond"),
    Month: { params: [], call: (time: GoTime) => typed(monthType, BigInt(fieldsOf(time).month)) },
    Weekday: { params: [], call: (time: GoTime) => typed(weekdayType, BigInt(fieldsOf(time).weekday)) },
    UTC: { params: [], call: (time: GoTime) => timeValue({ ...time, zone: "UTC" }) },
    Local: { params: [], call: (time: GoTime) => timeValue({ ...time, zone: localZone() }) },
    IsZero: { params: [], call: ({ nanoseconds }: GoTime) => nanoseconds === ZERO_TIME.nanoseconds },
    Before: comparing((a, b) => a < b),
    After: comparing((a, b) => a > b),
    Equal: comparing((a, b) => a === b),
    Sub: comparing((a, b) => typed(durationType, a - b)),
    AddDate: {
      params: [intType, intType, intType],
      call: (time: GoTime, years: bigint, months: bigint, days: bigint) => {
        const { zone: _zone, weekday: _weekday, yearDay: _yearDay, ...fields } = fieldsOf(time);
        const moved = {
          ...fields,
          year: fields.year + Number(years),
          month: fields.month + Number(months),
          day: fields.day + Number(days),
        };
        return timeValue(timeOf(moved, time.zone));
      },
    },
  },
});

export const timeValue = (time: GoTime): Value => typed(timeType, time);

const now = (): GoTime => ({ nanoseconds: BigInt(Date.now()) * 1_000_000n, zone: localZone() });

/** Whatever a template calls a date; the time of now for what is none. */
function dateOf(value: unknown): GoTime {
  const whole = valueOf(value);
  if (whole?.type === timeType) return whole.raw as GoTime;
  const { name } = whole?.type ?? {};
  if (name === "int" || name === "int64" || name === "int32") {
    return { nanoseconds: toInteger(value) * SECOND, zone: localZone() };
  }
  return now();
}

const inZone = (layout: string, date: unknown, zone: string): string =>
  formatTime({ ...dateOf(date), zone: findZone(zone) ?? "UTC" }, layout);

function modified(change: string, { raw }: Value): Value {
  const time = raw as GoTime;
  const by = tryParseDuration(change);
  return timeValue(by === undefined ? time : { ...time, nanoseconds: time.nanoseconds + BigInt(by) });
}

const mustModify = define([stringType, timeType], (change: string, date: Value) => {
  if (tryParseDuration(change) === undefined) throw new Error(`time: invalid duration ${JSON.stringify(change)}`);
  return modified(change, date);
});

function ago(value: unknown): string {
  const passed = now().nanoseconds - dateOf(value).nanoseconds;
  return durationText(floor(passed + SECOND / 2n, SECOND) * SECOND);
}

function durationOf(value: unknown): string {
  const whole = valueOf(value);
  if (whole?.type.name === "int64") return durationText(toInteger(value) * SECOND);
  if (typeof value !== "string" || !/^[+-]?\d+$/.test(value)) return "0s";
  return durationText(BigInt(value) * SECOND);
}

const UNITS = [
  [31_536_000n, "y"],
  [2_592_000n, "mo"],
  [86_400n, "d"],
  [3_600n, "h"],
  [60n, "m"],
  [1n, "s"],
] as const;

function durationRound(value: unknown): string {
  const whole = valueOf(value);
  let size = 0n;
  if (typeof value === "string") size = BigInt(tryParseDuration(value) ?? 0);
  else if (whole?.type.name === "int64") size = toInteger(value);
  else if (whole?.type === timeType) size = now().nanoseconds - (whole.raw as GoTime).nanoseconds;
  if (size < 0n) size = -size;
  const unit = UNITS.find(([seconds]) => size > seconds * SECOND);
  return unit === undefined ? "0s" : `${size / (unit[0] * SECOND)}${unit[1]}`;
}

const modify = define([stringType, timeType], modified);
const dateInZone = define([stringType, anyType, stringType], inZone);
const mustToDate = define([stringType, stringType], (layout: string, value: string) =>
  timeValue(parseTime(layout, value, localZone())),
);

/** Sprig's functions of dates. */
export const dateFunctions: Readonly<Record<string, TemplateFunction>> = {
  now: define([], () => timeValue(now())),
  date: define([stringType, anyType], (layout: string, date: unknown) => inZone(layout, date, "Local")),
  dateInZone,
  date_in_zone: dateInZone,
  dateModify: modify,
  date_modify: modify,
  mustDateModify: mustModify,
  must_date_modify: mustModify,
  htmlDate: define([anyType], (date: unknown) => inZone("2006-01-02", date, "Local")),
  htmlDateInZone: define([anyType, stringType], (date: unknown, zone: string) => inZone("2006-01-02", date, zone)),
  ago: define([anyType], ago),
  duration: define([anyType], durationOf),
  durationRound: define([anyType], durationRound),
  toDate: define([stringType, stringType], (layout: string, value: string) => {
    try {
      return timeValue(parseTime(layout, value, localZone()));
    } catch {
      // Sprig gives Go's time without a value; `mustToDate` says why.
      return timeValue(ZERO_TIME);
    }
  }),
  mustToDate,
  unixEpoch: define([timeType], ({ raw }: Value) => String(floor((raw as GoTime).nanoseconds, SECOND))),
};
