/** Quantities are exact to a billionth, and rounded up beyond. */
const NANO = 1_000_000_000n;

export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/** `resource.Quantity`: a number as resources are counted, `250m`, `1Gi`, `2e3`. */
export interface Quantity {
  /** Billionths. */
  readonly nano: bigint;
  /** How it was written, and sums with it are written. */
  readonly format: QuantityFormat;
}

const FORM = /^(?<sign>[+-]?)(?<whole>\d*)(?:\.(?<part>\d*))?(?<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** Beyond this no number of bytes or cores goes. */
const LARGEST_EXPONENT = 40;
/** More digits before the point than this are the largest quantity; of those behind it more only round up. */
const MOST_DIGITS = 100;
/** Of upstream's: 2^63-1. */
const LARGEST = (2n ** 63n - 1n) * NANO;

/** Undefined for what is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const groups = FORM.exec(text.trim())?.groups;
  if (groups === undefined) return undefined;
  const { sign = "", whole: written = "", part: fraction = "", suffix = "" } = groups;
  if (written === "" && fraction === "") return undefined;
  const [factor, format] = factorOf(suffix) ?? [];
  if (factor === undefined || format === undefined) return undefined;
  const whole = written.replace(/^0+/, "");
  const part = fraction.length <= MOST_DIGITS ? fraction : shortened(fraction);
  const digits = BigInt(`${whole.slice(0, MOST_DIGITS)}${part}` || "0");
  const [multiplier, divisor] = factor;
  const isLargest = whole.length > MOST_DIGITS;
  const nano = isLargest ? LARGEST : divideUp(digits * multiplier * NANO, divisor * 10n ** BigInt(part.length));
  return { nano: sign === "-" ? -nano : nano, format };
}

const shortened = (fraction: string): string =>
  fraction.slice(0, MOST_DIGITS) + (/[1-9]/.test(fraction.slice(MOST_DIGITS)) ? "1" : "");

function factorOf(suffix: string): readonly [readonly [bigint, bigint], QuantityFormat] | undefined {
  const binary = BINARY.indexOf(suffix);
  if (binary > 0) return [[1024n ** BigInt(binary), 1n], "BinarySI"];
  const known = DECIMAL[suffix];
  const exponent = known ?? Number(suffix.slice(1));
  if (!Number.isInteger(exponent) || Math.abs(exponent) > LARGEST_EXPONENT) return undefined;
  const power = 10n ** BigInt(Math.abs(exponent));
  return [exponent < 0 ? [1n, power] : [power, 1n], known === undefined ? "DecimalExponent" : "DecimalSI"];
}

const divideUp = (dividend: bigint, divisor: bigint): bigint =>
  dividend / divisor + (dividend % divisor === 0n ? 0n : 1n);

/** In its shortest form: no fraction, and the largest suffix that leaves none. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return "0";
  const size = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? "-" : "";
  if (format === "BinarySI" && size % NANO === 0n && size >= 1024n * NANO) return sign + binaryText(size / NANO);
  let [mantissa, exponent] = [size, -9];
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === "DecimalExponent") return `${sign}${mantissa}${exponent === 0 ? "" : `e${exponent}`}`;
  const suffix = Object.entries(DECIMAL).find(([, power]) => power === exponent)?.[0] ?? "";
  return `${sign}${mantissa}${suffix}`;
}

function binaryText(value: bigint): string {
  let [mantissa, power] = [value, 0];
  while (mantissa % 1024n === 0n && power < BINARY.length - 1) {
    mantissa /= 1024n;
    power++;
  }
  return `${mantissa}${BINARY[power]}`;
}

/** Keeps the first one's format, unless that is nothing. */
export function addQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

export const subtractQuantities = (left: Quantity, right: Quantity): Quantity => ({
  nano: left.nano - right.nano,
  format: left.nano === 0n ? right.format : left.format,
});

export const ZERO: Quantity = { nano: 0n, format: "DecimalSI" };

export const count = (amount: number): Quantity => ({ nano: BigInt(amount) * NANO, format: "DecimalSI" });

/** As a number, which may lose digits. */
export const quantityNumber = ({ nano }: Quantity): number => Number(nano) / Number(NANO);
