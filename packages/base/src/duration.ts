import { InvalidArgument } from "./errors.ts";

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** What Go's `time.Duration` can hold. */
const MOST = 2 ** 63;
const PART = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;

/**
 * Go's duration (`1h15m30.5s`, `-300ms`, `0`) in nanoseconds, rounded to whole ones. Above 2^53 ns (104 days) the last
 * digits are those of a double.
 *
 * @throws InvalidArgument with Go's text
 */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  if (body === "") throw invalid(`time: invalid duration ${quoted}`);
  let total = 0;
  for (let at = 0; at < body.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const [, amount, unit = ""] = PART.exec(body) ?? [];
    if (amount === undefined) throw invalid(`time: invalid duration ${quoted}`);
    if (unit === "") throw invalid(`time: missing unit in duration ${quoted}`);
    const factor = Object.hasOwn(NANOSECONDS, unit) ? NANOSECONDS[unit] : undefined;
    if (factor === undefined) throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(amount) * factor;
  }
  if (total >= MOST) throw invalid(`time: invalid duration ${quoted}`);
  return Math.round(text.startsWith("-") ? -total : total);
}

/** Nanoseconds as Go prints a duration: `0s`, `1.5µs`, `300ms`, `1m30s`, `2h0m0.5s`. */
export function goDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  const sign = nanoseconds < 0 ? "-" : "";
  const size = Math.abs(nanoseconds);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const hours = Math.trunc(size / 3600e9);
  const minutes = Math.trunc((size % 3600e9) / 60e9);
  const seconds = `${(size % 60e9) / 1e9}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** {@link parseDuration} for callers with words of their own: undefined when the text is no duration. */
export function tryParseDuration(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof InvalidArgument) return undefined;
    throw error;
  }
}

function invalid(message: string): InvalidArgument {
  return new InvalidArgument(message, { remedy: "write it like 500ms, 30s or 1h30m" });
}
