/** An instant and the zone that it is shown in, as Go's `time.Time`. */
export interface GoTime {
  /** Nanoseconds since 1970 in UTC. */
  readonly nanoseconds: bigint;
  /** `UTC`, an IANA name, or a fixed offset. */
  readonly zone: string | FixedZone;
}

export interface FixedZone {
  readonly name: string;
  /** Seconds east of UTC. */
  readonly offset: number;
}

/** Go's time without a value: the year 1. */
export const ZERO_TIME: GoTime = { nanoseconds: -62_135_596_800_000_000_000n, zone: "UTC" };

export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Undefined where there is no such zone. */
export function findZone(name: string): string | undefined {
  if (name === "" || name === "UTC") return "UTC";
  if (name === "Local") return localZone();
  try {
    return Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** Seconds east of UTC at an instant, and what the zone is called then. */
export function zoneAt({ nanoseconds, zone }: GoTime): FixedZone {
  if (typeof zone !== "string") return zone;
  if (zone === "UTC") return { name: "UTC", offset: 0 };
  const date = new Date(Number(nanoseconds / 1_000_000n));
  const part = (name: "longOffset" | "short", locale: string): string =>
    new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: name })
      .formatToParts(date)
      .find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign = "+", hours = "0", minutes = "0", seconds = "0"] =
    /GMT([+-])(\d+):?(\d+)?:?(\d+)?/.exec(part("longOffset", "en-US")) ?? [];
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === "-" ? -1 : 1);
  const names = ["en-US", "en-GB", "en-AU", "en-CA"].map((locale) => part("short", locale));
  return { name: names.find((name) => !/^(GMT|UTC)[+-]/.test(name)) ?? offsetText(offset, ""), offset };
}

export function offsetText(offset: number, separator: string): string {
  const minutes = Math.trunc(Math.abs(offset) / 60);
  return `${offset < 0 ? "-" : "+"}${pad(Math.trunc(minutes / 60))}${separator}${pad(minutes % 60)}`;
}

export const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/** The calendar's fields of an instant in its zone. */
export function fieldsOf(time: GoTime) {
  const zone = zoneAt(time);
  const shifted = time.nanoseconds + BigInt(zone.offset) * 1_000_000_000n;
  const nanosecond = Number(((shifted % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  const date = new Date(Number((shifted - BigInt(nanosecond)) / 1_000_000n));
  return {
    zone,
    nanosecond,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    yearDay: Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1,
  };
}

export type TimeFields = Omit<ReturnType<typeof fieldsOf>, "zone" | "weekday" | "yearDay">;

/** The instant of the calendar's fields in a zone. */
export function timeOf(fields: TimeFields, zone: string | FixedZone): GoTime {
  const date = new Date(0);
  date.setUTCFullYear(fields.year, fields.month - 1, fields.day);
  date.setUTCHours(fields.hour, fields.minute, fields.second);
  const wall = BigInt(date.getTime()) * 1_000_000n + BigInt(fields.nanosecond);
  const at = (offset: number): GoTime => ({ nanoseconds: wall - BigInt(offset) * 1_000_000_000n, zone });
  if (typeof zone !== "string") return at(zone.offset);
  // The offset is that of the instant, which depends on the offset: the second guess is right but in a changed hour.
  return at(zoneAt(at(zoneAt(at(0)).offset)).offset);
}

/** Go's text of a duration in nanoseconds: `1h15m30.5s`. */
export function durationText(nanoseconds: bigint): string {
  const [sign, size] = nanoseconds < 0n ? ["-", -nanoseconds] : ["", nanoseconds];
  if (size === 0n) return "0s";
  const fraction = (value: bigint, unit: bigint): string => {
    const rest = String(value % unit)
      .padStart(String(unit).length - 1, "0")
      .replace(/0+$/, "");
    return `${value / unit}${rest === "" ? "" : `.${rest}`}`;
  };
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${fraction(size, 1_000n)}µs`;
  if (size < 1_000_000_000n) return `${sign}${fraction(size, 1_000_000n)}ms`;
  const seconds = fraction(size % 60_000_000_000n, 1_000_000_000n);
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return `${sign}${seconds}s`;
  const hours = minutes / 60n;
  return `${sign}${hours > 0n ? `${hours}h` : ""}${minutes % 60n}m${seconds}s`;
}
