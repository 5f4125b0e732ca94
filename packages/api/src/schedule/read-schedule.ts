import { errorMessage, InvalidArgument, parseDuration } from "@boxship/base";
import { requireZone } from "./time-zones.ts";

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

/** What a schedule says: either a period, or the times that fit it. */
export type ReadSchedule = EverySchedule | FieldSchedule;

export interface EverySchedule {
  readonly everyNanoseconds: number;
}

export interface FieldSchedule {
  /** Of minutes, hours, days of the month, months (from 1) and days of the week (from Sunday, 0). */
  readonly sets: readonly ReadonlySet<number>[];
  /** Both days are limited, and either counts. */
  readonly eitherDay: boolean;
  /** Of a schedule that begins with `TZ=` or `CRON_TZ=`. */
  readonly zone?: string;
}

/**
 * Reads a schedule as cron has it: five fields with lists, ranges, steps and names, `@daily` and the like, or
 * `@every 1h30m`.
 *
 * @throws InvalidArgument in the words of upstream's parser
 */
export function readSchedule(text: string): ReadSchedule {
  const [zone, rest] = zoneOf(text);
  const timed = zone === undefined ? {} : { zone };
  if (rest.startsWith("@every ")) return { everyNanoseconds: durationOf(rest) };
  if (rest.startsWith("@") && !Object.hasOwn(NAMED, rest))
    throw new InvalidArgument(`unrecognized descriptor: ${rest}`);
  const words = (NAMED[rest] ?? rest).split(/\s+/).filter((word) => word !== "");
  if (words.length !== FIELDS.length) {
    throw new InvalidArgument(`expected exactly ${FIELDS.length} fields, found ${words.length}: [${words.join(" ")}]`);
  }
  const sets = FIELDS.map((field, at) => readField(words[at] ?? "", field));
  const [day, weekday] = [words[2], words[4]].map((word = "*") => !word.startsWith("*") && !word.startsWith("?"));
  return { sets, eitherDay: day === true && weekday === true, ...timed };
}

function zoneOf(text: string): readonly [zone: string | undefined, rest: string] {
  if (!/^(CRON_)?TZ=/.test(text)) return [undefined, text];
  const end = text.indexOf(" ");
  // Upstream's parser cuts the text at a blank that is not there.
  if (end < 0) throw new InvalidArgument("invalid schedule format: runtime error: slice bounds out of range [:-1]");
  const zone = text.slice(text.indexOf("=") + 1, end);
  try {
    if (zone !== "" && zone !== "Local") requireZone(zone);
  } catch (cause) {
    throw new InvalidArgument(`provided bad location ${zone}: ${errorMessage(cause)}`, { cause });
  }
  return [zone === "" || zone === "Local" ? "UTC" : zone, text.slice(end).trim()];
}

function durationOf(text: string): number {
  try {
    return parseDuration(text.slice("@every ".length));
  } catch (cause) {
    throw new InvalidArgument(`failed to parse duration ${text}: ${errorMessage(cause)}`, { cause });
  }
}

function readField(text: string, field: Field): ReadonlySet<number> {
  const set = new Set<number>();
  for (const part of text.split(",")) {
    if (part === "") continue;
    const [range = "", step, ...rest] = part.split("/");
    const [first, last] = rangeOf(range, part, field, step !== undefined);
    const by = step === undefined ? 1 : numberOf(step);
    if (rest.length > 0) throw new InvalidArgument(`too many slashes: ${part}`);
    if (first < field.least)
      throw new InvalidArgument(`beginning of range (${first}) below minimum (${field.least}): ${part}`);
    if (last > field.most) throw new InvalidArgument(`end of range (${last}) above maximum (${field.most}): ${part}`);
    if (first > last) throw new InvalidArgument(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
    if (by === 0) throw new InvalidArgument(`step of range should be a positive number: ${part}`);
    for (let value = first; value <= last; value += by) set.add(value);
  }
  return set;
}

function rangeOf(
  text: string,
  part: string,
  { least, most, words = [] }: Field,
  stepped: boolean,
): readonly [number, number] {
  const [from = "", to, ...rest] = text.split("-");
  if (from === "*" || from === "?") return [least, most];
  const valueOf = (word: string): number => {
    const at = words.indexOf(word.toLowerCase());
    return at < 0 ? numberOf(word) : at + least;
  };
  const first = valueOf(from);
  if (rest.length > 0) throw new InvalidArgument(`too many hyphens: ${part}`);
  return [first, to === undefined ? (stepped ? most : first) : valueOf(to)];
}

function numberOf(word: string): number {
  const wrong = (why: string): InvalidArgument =>
    new InvalidArgument(`failed to parse int from ${word}: strconv.Atoi: parsing ${JSON.stringify(word)}: ${why}`);
  if (!/^\+?\d+$/.test(word)) throw wrong("invalid syntax");
  const number = Number(word);
  if (number >= 2 ** 63) throw wrong("value out of range");
  return number;
}
