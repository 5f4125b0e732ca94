import { type FixedZone, fieldsOf, type GoTime, offsetText, pad, type TimeFields, timeOf } from "./go-time.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** The parts of a layout, longest first where one begins like another. */
const PARTS =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|2006|__2|002|01|02|03|04|05|06|15|PM|pm|_2006|_2|[.,](?:0+|9+)(?!\d)|[12345]/g;

interface Part {
  /** Of Go's reference time; undefined for other text. */
  readonly verb: string | undefined;
  readonly text: string;
}

function partsOf(layout: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: found, index } of layout.matchAll(PARTS)) {
    // `_2006` is an underscore and a year.
    const [from, verb] = found === "_2006" ? [index + 1, "2006"] : [index, found];
    if (from > at) parts.push({ verb: undefined, text: layout.slice(at, from) });
    parts.push({ verb, text: verb });
    at = index + found.length;
  }
  if (at < layout.length) parts.push({ verb: undefined, text: layout.slice(at) });
  return parts;
}

/** Go's `Time.Format`. */
export function formatTime(time: GoTime, layout: string): string {
  const fields = fieldsOf(time);
  return partsOf(layout)
    .map(({ verb, text }) => (verb === undefined ? text : formatPart(verb, fields)))
    .join("");
}

function formatPart(verb: string, fields: ReturnType<typeof fieldsOf>): string {
  const { year, month, day, hour, minute, second, nanosecond, zone } = fields;
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const simple: Readonly<Record<string, () => string>> = {
    "2006": () => (year < 0 ? `-${pad(-year, 4)}` : pad(year, 4)),
    "06": () => pad(((year % 100) + 100) % 100),
    January: () => MONTHS[month - 1] ?? "",
    Jan: () => (MONTHS[month - 1] ?? "").slice(0, 3),
    "01": () => pad(month),
    "1": () => String(month),
    Monday: () => DAYS[fields.weekday] ?? "",
    Mon: () => (DAYS[fields.weekday] ?? "").slice(0, 3),
    "02": () => pad(day),
    _2: () => String(day).padStart(2, " "),
    "2": () => String(day),
    "002": () => pad(fields.yearDay, 3),
    __2: () => String(fields.yearDay).padStart(3, " "),
    "15": () => pad(hour),
    "03": () => pad(twelve),
    "3": () => String(twelve),
    "04": () => pad(minute),
    "4": () => String(minute),
    "05": () => pad(second),
    "5": () => String(second),
    PM: () => (hour >= 12 ? "PM" : "AM"),
    pm: () => (hour >= 12 ? "pm" : "am"),
    MST: () => zone.name,
  };
  if (Object.hasOwn(simple, verb)) return simple[verb]?.() ?? "";
  if (/^[.,]/.test(verb)) return fractionText(nanosecond, verb);
  return zoneText(verb, zone);
}

function fractionText(nanosecond: number, verb: string): string {
  const digits = pad(nanosecond, 9).slice(0, verb.length - 1);
  if (verb[1] === "0") return `${verb[0]}${digits}`;
  const kept = digits.replace(/0+$/, "");
  return kept === "" ? "" : `${verb[0]}${kept}`;
}

function zoneText(verb: string, { offset }: FixedZone): string {
  if (verb.startsWith("Z") && offset === 0) return "Z";
  const shape = verb.slice(1);
  const text = offsetText(offset, shape.includes(":") ? ":" : "");
  if (shape === "07") return text.slice(0, 3);
  const seconds = Math.abs(offset) % 60;
  return /^07:?00:?00$/.test(shape) ? `${text}${shape.includes(":") ? ":" : ""}${pad(seconds)}` : text;
}

const NUMBERS: Readonly<Record<string, string>> = {
  "2006": String.raw`(\d{4})`,
  "06": String.raw`(\d\d)`,
  "01": String.raw`(\d\d)`,
  "1": String.raw`(\d\d?)`,
  "02": String.raw`(\d\d)`,
  _2: String.raw` ?(\d\d?)`,
  "2": String.raw`(\d\d?)`,
  "002": String.raw`(\d{3})`,
  __2: String.raw` {0,2}(\d{1,3})`,
  "15": String.raw`(\d\d)`,
  "03": String.raw`(\d\d)`,
  "3": String.raw`(\d\d?)`,
  "04": String.raw`(\d\d)`,
  "4": String.raw`(\d\d?)`,
  // A fraction may stand behind seconds that the layout has without one.
  "05": String.raw`(\d\d(?:[.,]\d+)?)`,
  "5": String.raw`(\d\d?(?:[.,]\d+)?)`,
  PM: "(AM|PM)",
  pm: "(am|pm)",
  MST: String.raw`(UTC|GMT[+-]\d+|[A-Z]{3,5}|[+-]\d\d(?:\d\d)?)`,
};

function patternOf(verb: string, following: Part | undefined): string {
  if (verb === "January" || verb === "Jan")
    return `(${MONTHS.map((name) => (verb === "Jan" ? name.slice(0, 3) : name)).join("|")})`;
  if (verb === "Monday" || verb === "Mon")
    return `(${DAYS.map((name) => (verb === "Mon" ? name.slice(0, 3) : name)).join("|")})`;
  if (/^0?5$/.test(verb) && following?.verb !== undefined && /^[.,]/.test(following.verb)) return String.raw`(\d\d?)`;
  if (/^[.,]0/.test(verb)) return String.raw`[.,](\d{${verb.length - 1}})`;
  if (/^[.,]9/.test(verb)) return String.raw`(?:[.,](\d+))?`;
  const known = NUMBERS[verb];
  if (known !== undefined) return known;
  const zone = verb.startsWith("Z") ? "Z|" : "";
  const shape = verb.slice(1).replace(/\d\d/g, String.raw`\d\d`);
  return `(${zone}[+-]${shape})`;
}

/**
 * Go's `time.ParseInLocation`.
 *
 * @param zone of times whose layout has none
 * @throws Error in Go's words
 */
export function parseTime(layout: string, value: string, zone: string): GoTime {
  const parts = partsOf(layout);
  const source = parts.map(({ verb, text }, at) =>
    verb === undefined
      ? text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&").replace(/ +/g, " +")
      : patternOf(verb, parts[at + 1]),
  );
  const found = new RegExp(`^${source.join("")}$`, "i").exec(value);
  const fail = (why: string): Error => new Error(`parsing time ${JSON.stringify(value)}${why}`);
  if (found === null)
    throw fail(` as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(value)} as ${JSON.stringify(layout)}`);
  const verbs = parts.map(({ verb }) => verb).filter((verb) => verb !== undefined);
  const fields = { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanosecond: 0 };
  const state: ParseState = { fields, afternoon: undefined, zone: undefined };
  verbs.forEach((verb, at) => readPart(verb, found[at + 1] ?? "", state));
  const { afternoon } = state;
  if (afternoon === true && fields.hour < 12) fields.hour += 12;
  if (afternoon === false && fields.hour === 12) fields.hour = 0;
  const days = new Date(Date.UTC(2000 + (((fields.year % 400) + 400) % 400), fields.month, 0)).getUTCDate();
  if (fields.month < 1 || fields.month > 12) throw fail(": month out of range");
  if (fields.day < 1 || fields.day > days) throw fail(": day out of range");
  for (const [name, most] of [
    ["hour", 23],
    ["minute", 59],
    ["second", 59],
  ] as const) {
    if (fields[name] > most) throw fail(`: ${name} out of range`);
  }
  return timeOf(fields, state.zone ?? zone);
}

interface ParseState {
  readonly fields: { -readonly [K in keyof TimeFields]: number };
  afternoon: boolean | undefined;
  zone: string | FixedZone | undefined;
}

const nameIndex = (names: readonly string[], text: string): number =>
  names.findIndex((name) => name.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase());

function readPart(verb: string, text: string, state: ParseState): void {
  const { fields } = state;
  const number = Number(text);
  if (verb === "2006") fields.year = number;
  else if (verb === "06") fields.year = number >= 69 ? 1900 + number : 2000 + number;
  else if (verb === "January" || verb === "Jan") fields.month = nameIndex(MONTHS, text) + 1;
  else if (verb === "01" || verb === "1") fields.month = number;
  else if (verb === "02" || verb === "_2" || verb === "2") fields.day = number;
  else if (verb === "15" || verb === "03" || verb === "3") fields.hour = number;
  else if (verb === "04" || verb === "4") fields.minute = number;
  else if (verb === "05" || verb === "5") readSeconds(text, fields);
  else if (/^[.,]/.test(verb)) fields.nanosecond = Number(text.slice(0, 9).padEnd(9, "0"));
  else if (verb.toUpperCase() === "PM") state.afternoon = text.toUpperCase() === "PM";
  else if (verb === "MST") state.zone ??= text === "UTC" ? "UTC" : { name: text, offset: 0 };
  else if (/^[Z-]07/.test(verb)) state.zone = zoneOf(text);
}

function readSeconds(text: string, fields: ParseState["fields"]): void {
  const [seconds = "0", fraction] = text.split(/[.,]/);
  fields.second = Number(seconds);
  if (fraction !== undefined) fields.nanosecond = Number(fraction.slice(0, 9).padEnd(9, "0"));
}

function zoneOf(text: string): string | FixedZone {
  if (text === "Z") return "UTC";
  const [, sign = "+", hours = "0", minutes = "0", seconds = "0"] = /^([+-])(\d\d):?(\d\d)?:?(\d\d)?/.exec(text) ?? [];
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === "-" ? -1 : 1);
  return offset === 0 ? "UTC" : { name: "", offset };
}
