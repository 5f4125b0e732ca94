import { InvalidArgument, parseDuration } from "@boxship/base";
import { offsetAt } from "./time-zone.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
/** A schedule that has no time in so many years (the 30th of February) has none. */
const YEARS = 5;

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly words?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "minute", least: 0, most: 59 },
  { name: "hour", least: 0, most: 23 },
  { name: "day of month", least: 1, most: 31 },
  { name: "month", least: 1, most: 12, words: MONTHS },
  { name: "day of week", least: 0, most: 6, words: DAYS },
];

const NAMED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** When something is to happen again and again. */
export interface Schedule {
  /** The first time after this one, in milliseconds since the epoch; undefined where there is none. */
  next(after: number): number | undefined;
}

/**
 * Reads a schedule as cron has it: five fields with lists, ranges, steps and names, `@daily` and the like, or
 * `@every 1h30m`. Where both days are limited, either counts.
 *
 * @param zone IANA name of the time zone that its times are of
 * @throws InvalidArgument
 */
export function parseSchedule(text: string, zone: string): Schedule {
  const every = /^@every (.+)$/.exec(text);
  if (every !== null) {
    const ms = Math.max(1000, Math.floor(parseDuration(every[1] ?? "") / 1e9) * 1000);
    return { next: (after) => Math.floor(after / 1000) * 1000 + ms };
  }
  const words = (NAMED[text] ?? text).trim().split(/\s+/);
  if (text.startsWith("@") && NAMED[text] === undefined) throw new InvalidArgument(`unrecognized descriptor: ${text}`);
  if (words.length !== 5) {
    throw new InvalidArgument(`expected exactly 5 fields, found ${words.length}: [${words.join(" ")}]`);
  }
  const sets = FIELDS.map((field, at) => parseField(words[at] ?? "", field));
  const limited = [words[2], words[4]].map((word = "*") => !word.startsWith("*") && !word.startsWith("?"));
  return { next: (after) => nextTime(after, sets, limited[0] === true && limited[1] === true, zone) };
}

function parseField(text: string, field: Field): ReadonlySet<number> {
  const set = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step, ...rest] = part.split("/");
    if (rest.length > 0) throw new InvalidArgument(`too many slashes: ${part}`);
    const [first, last] = rangeOf(range, field, step !== undefined);
    const by = step === undefined ? 1 : numberOf(step, part);
    if (by === 0) throw new InvalidArgument(`step of range should be a positive number: ${part}`);
    if (first < field.least)
      throw new InvalidArgument(`beginning of range (${first}) below minimum (${field.least}): ${part}`);
    if (last > field.most) throw new InvalidArgument(`end of range (${last}) above maximum (${field.most}): ${part}`);
    if (first > last) throw new InvalidArgument(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
    for (let value = first; value <= last; value += by) set.add(value);
  }
  return set;
}

function rangeOf(text: string, { least, most, words = [] }: Field, stepped: boolean): readonly [number, number] {
  if (text === "*" || text === "?") return [least, most];
  const [from = "", to, ...rest] = text.split("-");
  if (rest.length > 0) throw new InvalidArgument(`too many hyphens: ${text}`);
  const valueOf = (word: string): number => {
    const at = words.indexOf(word.toLowerCase());
    return at < 0 ? numberOf(word, text) : at + least;
  };
  const first = valueOf(from);
  return [first, to === undefined ? (stepped ? most : first) : valueOf(to)];
}

function numberOf(word: string, part: string): number {
  if (!/^\d+$/.test(word)) throw new InvalidArgument(`failed to parse int from ${word}: ${part}`);
  return Number(word);
}

/** Times of a zone are counted as if they were UTC, and moved by the zone's offset at the end. */
function nextTime(
  after: number,
  sets: readonly ReadonlySet<number>[],
  either: boolean,
  zone: string,
): number | undefined {
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
