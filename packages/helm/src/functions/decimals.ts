/** A decimal fraction: `value` times ten to the power of `-scale`. */
export interface Decimal {
  readonly value: bigint;
  readonly scale: number;
}

/** Digits that a division gives behind the point. */
const DIVISION_DIGITS = 16;
/** Doubles reach from 1e-324 to 1e308. */
const MOST_SCALE = 700;

/** @throws Error for what is no number */
export function decimalOf(value: number): Decimal {
  if (!Number.isFinite(value)) {
    throw new Error(`Cannot create a Decimal from ${Number.isNaN(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf"}`);
  }
  const [mantissa = "0", exponent = "0"] = value.toString().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0 ? { value: digits, scale } : { value: digits * 10n ** BigInt(-scale), scale: 0 };
}

export const fromDecimal = ({ value, scale }: Decimal): number => Number(`${value}e-${scale}`);

function aligned(a: Decimal, b: Decimal): readonly [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale);
  return [a.value * 10n ** BigInt(scale - a.scale), b.value * 10n ** BigInt(scale - b.scale), scale];
}

export function plus(a: Decimal, b: Decimal): Decimal {
  const [one, other, scale] = aligned(a, b);
  return { value: one + other, scale };
}

export function minus(a: Decimal, b: Decimal): Decimal {
  return plus(a, { value: -b.value, scale: b.scale });
}

export function times(a: Decimal, b: Decimal): Decimal {
  const [value, scale] = [a.value * b.value, a.scale + b.scale];
  if (scale <= MOST_SCALE) return { value, scale };
  return { value: value / 10n ** BigInt(scale - MOST_SCALE), scale: MOST_SCALE };
}

/** Rounded to 16 digits behind the point, half away from zero. */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.value === 0n) throw new Error("decimal division by 0");
  const [one, other] = aligned(a, b);
  const scaled = one * 10n ** BigInt(DIVISION_DIGITS + 1);
  const quotient = scaled / other;
  const last = quotient % 10n;
  const rounded = quotient / 10n + (last >= 5n ? 1n : last <= -5n ? -1n : 0n);
  return { value: rounded, scale: DIVISION_DIGITS };
}
