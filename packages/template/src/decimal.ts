/** Floating-point numbers as decimal text, rounded exactly as Go's strconv does. */

/** Significant digits and the power of ten of the point before the first: 0.digits × 10^point. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

/** A positive finite number as mantissa × 2^exponent. */
function binaryParts(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  return {
    mantissa: biased === 0 ? fraction : fraction | (1n << 52n),
    exponent: (biased === 0 ? 1 : biased) - 1075,
  };
}

/** All digits of a positive finite number: a binary fraction always ends. */
function exactDecimal(value: number): Decimal {
  const { mantissa, exponent } = binaryParts(value);
  const whole = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const digits = whole.toString();
  return { digits, point: digits.length + (exponent >= 0 ? 0 : exponent) };
}

/** Keeps `count` digits, rounding half to even. */
function round(decimal: Decimal, count: number): Decimal {
  const { digits, point } = decimal;
  if (count >= digits.length) return decimal;
  if (count < 0) return { digits: "", point };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const half = `5${"0".repeat(rest.length - 1)}`;
  const up = rest > half || (rest === half && Number(kept.at(-1) ?? "0") % 2 === 1);
  if (!up) return { digits: kept, point };
  const raised = (BigInt(kept || "0") + 1n).toString().padStart(count, "0");
  return raised.length > count
    ? { digits: raised.slice(0, Math.max(count, 1)), point: point + 1 }
    : { digits: raised, point };
}

/** The fewest digits that read back as the same float32. */
function shortestSingle(value: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits);
    if (Math.fround(Number(text)) === value) return text;
  }
  return value.toExponential();
}

/** The fewest digits that read back as the same number. */
function shortestDecimal(value: number, single: boolean): Decimal {
  const text = single ? shortestSingle(value) : value.toExponential();
  const [mantissa = "", exponent = "0"] = text.split("e");
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  return { digits: digits || "0", point: Number(exponent) + 1 };
}

export interface FloatFormat {
  readonly verb: "b" | "e" | "E" | "f" | "F" | "g" | "G" | "x" | "X";
  /** Digits after the point (`e`, `f`, `x`) or in all (`g`); undefined for as few as needed. */
  readonly precision?: number | undefined;
  /** The value is a float32. @default false */
  readonly single?: boolean;
}

/** The magnitude of a finite number, without its sign. */
export function formatMagnitude(value: number, format: FloatFormat): string {
  const magnitude = Math.abs(value);
  const zero: Decimal = { digits: "0", point: 1 };
  switch (format.verb) {
    case "b":
      return binary(magnitude, format.single ?? false);
    case "x":
    case "X":
      return withCase(hexadecimal(magnitude, format.precision), format);
    case "e":
    case "E":
      return withCase(exponential(magnitude === 0 ? zero : digitsFor(magnitude, format, (p) => p + 1), format), format);
    case "f":
    case "F":
      return fixed(magnitude === 0 ? zero : digitsFor(magnitude, format, (p, point) => p + point), format.precision);
    default:
      return withCase(general(magnitude === 0 ? zero : digitsFor(magnitude, format, (p) => p || 1), format), format);
  }
}

function withCase(text: string, format: FloatFormat): string {
  return "EGX".includes(format.verb) ? text.toUpperCase() : text;
}

function digitsFor(
  magnitude: number,
  format: FloatFormat,
  keep: (precision: number, point: number) => number,
): Decimal {
  if (format.precision === undefined) return shortestDecimal(magnitude, format.single ?? false);
  const exact = exactDecimal(magnitude);
  return round(exact, keep(format.precision, exact.point));
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function exponential({ digits, point }: Decimal, format: FloatFormat): string {
  const fraction = format.precision === undefined ? digits.slice(1) : digits.slice(1).padEnd(format.precision, "0");
  return `${digits.charAt(0) || "0"}${fraction === "" ? "" : `.${fraction}`}e${exponentText(point - 1)}`;
}

function fixed({ digits, point }: Decimal, precision: number | undefined): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  const fraction = point > 0 ? digits.slice(point) : digits === "" ? "" : "0".repeat(-point) + digits;
  const wanted =
    precision === undefined ? fraction.replace(/^0+$/, "") : fraction.padEnd(precision, "0").slice(0, precision);
  return wanted === "" ? whole : `${whole}.${wanted}`;
}

function general(decimal: Decimal, format: FloatFormat): string {
  const digits = decimal.digits.replace(/0+$/, "") || "0";
  const exponent = decimal.point - 1;
  let limit = format.precision === undefined ? 6 : format.precision || 1;
  // Digits that are not there do not push a number into its exponential form.
  if (format.precision !== undefined && limit > digits.length && digits.length >= decimal.point) limit = digits.length;
  const trimmed = { digits, point: decimal.point };
  const shortest = { ...format, precision: undefined };
  return exponent < -4 || exponent >= limit ? exponential(trimmed, shortest) : fixed(trimmed, undefined);
}

/** `%b`: the mantissa as it is stored, and the power of two. */
function binary(magnitude: number, single: boolean): string {
  const { mantissa, exponent } = binaryParts(magnitude);
  const shift = single ? 29 : 0;
  const power = exponent + shift;
  return `${mantissa >> BigInt(shift)}p${power < 0 ? "" : "+"}${power}`;
}

/** `%x`: one bit before the point, hexadecimal digits behind it, and the power of two. */
function hexadecimal(magnitude: number, precision: number | undefined): string {
  let { mantissa, exponent } = binaryParts(magnitude);
  if (mantissa === 0n) return `0x0${precision ? `.${"0".repeat(precision)}` : ""}p+00`;
  const top = mantissa.toString(2).length - 1;
  exponent += top;
  mantissa <<= BigInt(52 - top);
  if (precision !== undefined && precision < 13) {
    const dropped = BigInt(4 * (13 - precision));
    const half = 1n << (dropped - 1n);
    const rest = mantissa & ((1n << dropped) - 1n);
    mantissa >>= dropped;
    if (rest > half || (rest === half && mantissa % 2n === 1n)) mantissa++;
    mantissa <<= dropped;
    if (mantissa >> 53n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  const digits = mantissa.toString(16).slice(1);
  const fraction =
    precision === undefined ? digits.replace(/0+$/, "") : digits.padEnd(precision, "0").slice(0, precision);
  return `0x1${fraction === "" ? "" : `.${fraction}`}p${exponentText(exponent)}`;
}
