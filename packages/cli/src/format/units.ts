/** Durations and sizes in the words that container users know. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A duration in milliseconds, roughly: `About a minute`, `2 hours`, `5 weeks`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / SECOND);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(milliseconds / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(milliseconds / HOUR + 0.5);
  if (hours === 1) return "About an hour";
  return longDuration(hours, Math.trunc(milliseconds / HOUR));
}

function longDuration(rounded: number, whole: number): string {
  if (rounded < 48) return `${rounded} hours`;
  if (rounded < 24 * 7 * 2) return `${Math.trunc(rounded / 24)} days`;
  if (rounded < 24 * 30 * 2) return `${Math.trunc(rounded / 24 / 7)} weeks`;
  if (rounded < 24 * 365 * 2) return `${Math.trunc(rounded / 24 / 30)} months`;
  return `${Math.trunc(whole / 24 / 365)} years`;
}

/** Go's `%.Ng` of a number that is not tiny: N significant digits without trailing zeroes. */
function significant(value: number, digits: number): string {
  const rounded = Number(value.toPrecision(digits));
  if (Math.abs(rounded) < 10 ** digits) return String(rounded);
  const [mantissa = "", exponent = ""] = rounded.toExponential().split("e+");
  return `${mantissa}e+${exponent.padStart(2, "0")}`;
}

function scaled(size: number, base: number, units: readonly string[], digits: number): string {
  let rest = size;
  let unit = 0;
  while (rest >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  return significant(rest, digits) + (units[unit] ?? "");
}

const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/** A size in bytes with units of 1000s: `5.61MB`. */
export function humanSize(size: number, digits = 4): string {
  return scaled(size, 1000, DECIMAL, digits);
}

/** A size in bytes with units of 1024s: `1.944GiB`. */
export function binarySize(size: number): string {
  return scaled(size, 1024, BINARY, 4);
}
