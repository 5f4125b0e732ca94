import { type FieldSchedule, readSchedule } from "@boxship/api";
import { offsetAt } from "./time-zone.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
/** A schedule that has no time in so many years (the 30th of February) has none. */
const YEARS = 5;

/** When something is to happen again and again. */
export interface Schedule {
  /** The first time after this one, in milliseconds since the epoch; undefined where there is none. */
  next(after: number): number | undefined;
}

/**
 * A schedule as cron has it. Where both days are limited, either counts.
 *
 * @param zone IANA name of the time zone that its times are of, where it names none itself
 * @throws InvalidArgument
 */
export function parseSchedule(text: string, zone: string): Schedule {
  const read = readSchedule(text);
  if ("everyNanoseconds" in read) {
    const ms = Math.max(1000, Math.floor(read.everyNanoseconds / 1e9) * 1000);
    return { next: (after) => Math.floor(after / 1000) * 1000 + ms };
  }
  return { next: (after) => nextTime(after, read, read.zone ?? zone) };
}

/** Times of a zone are counted as if they were UTC, and moved by the zone's offset at the end. */
function nextTime(after: number, { sets, eitherDay: either }: FieldSchedule, zone: string): number | undefined {
  const [minutes, hours, days, months, weekdays] = sets;
  const start = Math.floor(after / MINUTE) * MINUTE + MINUTE;
  let local = start + offsetAt(start, zone);
  const end = local + YEARS * 366 * DAY;
  while (local < end) {
    const date = new Date(local);
    const [year, month, day, hour] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours()];
    const inMonth = days?.has(day) === true;
    const inWeek = weekdays?.has(date.getUTCDay()) === true;
    if (months?.has(month + 1) !== true) local = Date.UTC(year, month + 1, 1);
    else if (!(either ? inMonth || inWeek : inMonth && inWeek)) local = Date.UTC(year, month, day + 1);
    else if (hours?.has(hour) !== true) local = Date.UTC(year, month, day, hour + 1);
    else if (minutes?.has(date.getUTCMinutes()) !== true) local += MINUTE;
    else {
      const time = timeOf(local, after, zone);
      if (time !== undefined) return time;
      local += MINUTE;
    }
  }
  return undefined;
}

/** The first time after another at which clocks of the zone show this; undefined in an hour that they leave out. */
function timeOf(local: number, after: number, zone: string): number | undefined {
  const offsets = [offsetAt(local - DAY, zone), offsetAt(local + DAY, zone)];
  const times = offsets.map((offset) => local - offset).sort((left, right) => left - right);
  return times.find((time) => time > after && time + offsetAt(time, zone) === local);
}
