/** Times as Go prints them, in the local zone. */

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

function offsetText(date: Date, separator: string): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  return `${sign}${pad(Math.trunc(Math.abs(minutes) / 60))}${separator}${pad(Math.abs(minutes) % 60)}`;
}

function dateText(date: Date): string {
  return `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

function clockText(date: Date): string {
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** The zone's abbreviation; zones without one show their offset. */
function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "UTC";
  return name.startsWith("GMT") && name !== "GMT" ? offsetText(date, "").replace(/00$/, "") : name;
}

/** Go's `Time.String()` for whole seconds since the epoch: `2006-01-02 15:04:05 +0000 UTC`. */
export function goTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${dateText(date)} ${clockText(date)} ${offsetText(date, "")} ${zoneName(date)}`;
}

/** RFC 3339 in seconds: `2006-01-02T15:04:05Z`. */
export function rfc3339(seconds: number): string {
  const date = new Date(seconds * 1000);
  const offset = offsetText(date, ":");
  return `${dateText(date)}T${clockText(date)}${offset === "+00:00" ? "Z" : offset}`;
}

/** RFC 3339 with all nine digits of the second. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
  const offset = offsetText(date, ":");
  return `${dateText(date)}T${clockText(date)}.${fraction}${offset === "+00:00" ? "Z" : offset}`;
}

/**
 * Go's `Time.String()` of an RFC 3339 time as JSON carries it, in the zone that it names.
 *
 * `2026-11-21T00:05:55.1234Z` reads `2026-11-21 00:05:55.1234 +0000 UTC`.
 */
export function goTimeOfText(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return text;
  const [, date = "", clock = "", digits = "", zone = "Z"] = match;
  const fraction = digits.replace(/0+$/, "");
  const offset = zone === "Z" ? "+0000" : zone.replace(":", "");
  const name = zone === "Z" ? "UTC" : offset;
  return `${date} ${clock}${fraction === "" ? "" : `.${fraction}`} ${offset} ${name}`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** An RFC 3339 time in UTC as C's `asctime` prints it: `Thu May  7 21:09:36 2026`; undefined for other texts. */
export function ansiTime(text: string): string | undefined {
  const date = new Date(text);
  if (Number.isNaN(date.getTime()) || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  const day = String(date.getUTCDate()).padStart(2, " ");
  const clock = date.toISOString().slice(11, 19);
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${clock} ${date.getUTCFullYear()}`;
}
