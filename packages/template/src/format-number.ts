import { type FloatFormat, formatMagnitude } from "./decimal.ts";
import { type Flags, pad } from "./format-flags.ts";
import { isPrintable, quoteRune } from "./quote.ts";

/** One integer in a base, with Go's sign, prefix, precision and padding rules. */
function formatBase(value: bigint, base: 2 | 8 | 10 | 16, verb: string, flags: Flags): string {
  const negative = value < 0n;
  let digits = (negative ? -value : value).toString(base);
  if (flags.precision === 0 && value === 0n) return pad("", { ...flags, zero: false });
  let wanted = flags.precision ?? 0;
  if (flags.precision === undefined && flags.zero && !flags.minus && flags.width !== undefined) {
    wanted = flags.width - (negative || flags.plus || flags.space ? 1 : 0);
  }
  digits = digits.padStart(wanted, "0");
  if (flags.sharp) {
    if (base === 2) digits = `0b${digits}`;
    if (base === 8 && !digits.startsWith("0")) digits = `0${digits}`;
    if (base === 16) digits = `0x${digits}`;
  }
  if (verb === "O") digits = `0o${digits}`;
  if (verb === "X") digits = digits.toUpperCase();
  const sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  return pad(sign + digits, { ...flags, zero: false });
}

function codePoint(value: bigint): number {
  const point = value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd;
  return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
}

function formatUnicode(value: bigint, flags: Flags): string {
  const digits = BigInt.asUintN(64, value).toString(16).toUpperCase();
  let text = `U+${digits.padStart(Math.max(4, flags.precision ?? 4), "0")}`;
  if (flags.sharp && value >= 0n && value <= 0x10ffffn) {
    const character = String.fromCodePoint(codePoint(value));
    if (isPrintable(character)) text += ` '${character}'`;
  }
  return pad(text, { ...flags, zero: false });
}

/** An integer by verb, or undefined for a verb that integers do not know. */
export function formatInteger(value: bigint, unsigned: boolean, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case "v":
      if (flags.sharpV && unsigned) return formatBase(value, 16, "x", { ...flags, sharp: true });
      return formatBase(value, 10, verb, flags);
    case "d":
      return formatBase(value, 10, verb, flags);
    case "b":
      return formatBase(value, 2, verb, flags);
    case "o":
    case "O":
      return formatBase(value, 8, verb, flags);
    case "x":
    case "X":
      return formatBase(value, 16, verb, flags);
    case "c":
      return pad(String.fromCodePoint(codePoint(value)), flags);
    case "q":
      return pad(quoteRune(codePoint(value), flags.plus), flags);
    case "U":
      return formatUnicode(value, flags);
    default:
      return undefined;
  }
}

/** `%#g` and its kin: the point and trailing zeroes that Go would drop. */
function restoreZeros(number: string, digits: number): string {
  const shape = number.startsWith("0x") || number.startsWith("0X") ? /^([^p]*)(p.*)$/i : /^([^e]*)(e.*)?$/i;
  const [, mantissa = "", exponent = ""] = shape.exec(number) ?? [];
  const significant = mantissa.replace(".", "").replace(/^0+/, "").length;
  let missing = digits - significant;
  const point = mantissa.includes(".") ? "" : ".";
  if (mantissa === "0") missing--;
  return mantissa + point + "0".repeat(Math.max(0, missing)) + exponent;
}

const FLOAT_VERBS = "beEfFgGxX";

/** A float by verb, or undefined for a verb that floats do not know. */
export function formatFloat(value: number, single: boolean, verb: string, flags: Flags): string | undefined {
  const shape = verb === "v" ? "g" : verb;
  if (!FLOAT_VERBS.includes(shape)) return undefined;
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (!Number.isFinite(value)) return pad(special(value, flags), { ...flags, zero: false });
  const format = shape as FloatFormat["verb"];
  const byDefault = "eEfF".includes(format) ? 6 : undefined;
  const precision = flags.precision ?? byDefault;
  let digits = formatMagnitude(value, { verb: format, precision, single });
  if (flags.sharp && format !== "b") digits = restoreZeros(digits, "gGx".includes(format) ? (precision ?? 6) : 0);
  if (sign !== "" && flags.zero && !flags.minus && flags.width !== undefined) {
    return sign + digits.padStart(flags.width - 1, "0");
  }
  return pad(sign + digits, flags);
}

function special(value: number, flags: Flags): string {
  if (Number.isNaN(value)) return flags.plus ? "+NaN" : flags.space ? " NaN" : "NaN";
  return value < 0 ? "-Inf" : flags.plus || !flags.space ? "+Inf" : " Inf";
}
