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

/**
 * JSON with all integers of 64 bits as they are written.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): Json {
  if (!LONG.test(text)) return JSON.parse(text) as Json;
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: Json, context: { readonly source?: string }) => Json,
  ) => Json;
  return parse(text, (_, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && LITERAL.test(source)
      ? toInteger(BigInt(source))
      : value,
  );
}
