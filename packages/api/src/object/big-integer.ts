import type { Json } from "./json.ts";

/**
 * An integer of 64 bits that a number of JavaScript would round. It stands among the values of JSON as a scalar, and is
 * written with its own digits.
 */
export class BigInteger {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }

  /** The nearest number: what comparisons and arithmetic take. */
  valueOf(): number {
    return Number(this.value);
  }

  toString(): string {
    return String(this.value);
  }

  toJSON(): unknown {
    return rawJson(this.toString());
  }
}

const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON: (this: void, text: string) => unknown };

const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/** An integer as a value of JSON: a number where that is exact. */
export function toInteger(value: bigint): Json {
  const near = Number(value);
  if (Number.isSafeInteger(near) || value < LEAST || value > MOST) return near;
  return new BigInteger(value) as unknown as Json;
}

export const isBigInteger = (value: unknown): value is BigInteger => value instanceof BigInteger;

/** Whole numbers, whichever way they are kept. */
export const isInteger = (value: unknown): boolean => Number.isInteger(value) || isBigInteger(value);

/** A number that may be beyond what JavaScript has exactly. */
const LONG = /[\s:,[]-?\d{16}/;
const LITERAL = /^-?\d+$/;
/** More digits are no integer of 64 bits, and reading a million of them takes long. */
const MOST_DIGITS = 40;
const LONG_DIGITS = 16;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Whether so many digits follow each other anywhere: looking at every sixteenth character takes a fifth of what an expression takes. */
function hasLongDigits(text: string): boolean {
  for (let at = LONG_DIGITS - 1; at < text.length; at += LONG_DIGITS) {
    if (!isDigit(text.charCodeAt(at))) continue;
    let from = at;
    while (isDigit(text.charCodeAt(from - 1))) from--;
    let end = at + 1;
    while (isDigit(text.charCodeAt(end))) end++;
    if (end - from >= LONG_DIGITS) return true;
  }
  return false;
}

/**
 * JSON with all integers of 64 bits as they are written.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): Json {
  if (!hasLongDigits(text) || !LONG.test(text)) return JSON.parse(text) as Json;
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: Json, context: { readonly source?: string }) => Json,
  ) => Json;
  return parse(text, (_, value, { source }) =>
    typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    source.length <= MOST_DIGITS &&
    LITERAL.test(source)
      ? toInteger(BigInt(source))
      : value,
  );
}
