import { randomInt } from "node:crypto";
import {
  anyType,
  float64Type,
  intType,
  sliceOf,
  stringType,
  type TemplateFunction,
  typed,
  type Value,
} from "@boxship/template";
import { type Decimal, decimalOf, divide, fromDecimal, minus, plus, times } from "./decimals.ts";
import { boundItems, boundText, define, int64, parseInteger, textOf, toFloat, toInteger } from "./go-values.ts";

const intSlice = sliceOf(intType);

/** Integers from a start up or down to a stop that is not among them. */
function steps(start: bigint, stop: bigint, step: bigint): bigint[] {
  const down = stop < start;
  if (start === stop || (down ? step >= 0n : step <= 0n)) return [];
  const span = down ? start - stop : stop - start;
  const stride = step < 0n ? -step : step;
  boundItems(Number((span + stride - 1n) / stride));
  const all: bigint[] = [];
  for (let at = start; down ? at > stop : at < stop; at += step) all.push(at);
  return all;
}

function sequence(...given: readonly bigint[]): string {
  const [first = 0n, second = 0n, third = 0n] = given;
  const direction = (from: bigint, to: bigint): bigint => (to < from ? -1n : 1n);
  let all: readonly bigint[] = [];
  if (given.length === 1) all = steps(1n, first + direction(1n, first), direction(1n, first));
  else if (given.length === 2) all = steps(first, second + direction(first, second), direction(first, second));
  else if (given.length === 3) {
    if (third < first && second > 0n) return "";
    all = steps(first, third + direction(first, third), second);
  }
  boundText(all.length * 20);
  return all.join(" ");
}

function divided(a: unknown, b: unknown, work: (a: bigint, b: bigint) => bigint): Value {
  const by = toInteger(b);
  if (by === 0n) throw new Error("runtime error: integer divide by zero");
  return int64(work(toInteger(a), by));
}

/** Half goes up, or whatever is at least the third argument. */
function round(value: unknown, places: bigint, from?: number): number {
  const power = 10 ** Number(places);
  const digit = power * toFloat(value);
  const up = digit - Math.trunc(digit) >= (from ?? 0.5);
  return (up ? Math.ceil(digit) : Math.floor(digit)) / power;
}

const most = (first: unknown, ...others: unknown[]): Value =>
  int64(others.map(toInteger).reduce((a, b) => (b > a ? b : a), toInteger(first)));

const decimals = (work: (a: Decimal, b: Decimal) => Decimal) =>
  define(
    [anyType],
    (first: unknown, ...others: unknown[]) =>
      fromDecimal(others.map((value) => decimalOf(toFloat(value))).reduce(work, decimalOf(toFloat(first)))),
    anyType,
  );

/** Sprig's functions of numbers. */
export const numberFunctions: Readonly<Record<string, TemplateFunction>> = {
  atoi: define([stringType], (text: string) => {
    if (!/^[+-]?\d+$/.test(text)) return 0n;
    const value = BigInt(text.replace("+", ""));
    // What is too great becomes the greatest.
    return BigInt.asIntN(64, value) === value ? value : value < 0n ? -(2n ** 63n) : 2n ** 63n - 1n;
  }),
  int: define([anyType], toInteger),
  int64: define([anyType], (value: unknown) => int64(toInteger(value))),
  float64: define([anyType], toFloat),
  toDecimal: define([anyType], (value: unknown) => {
    const text = textOf(value);
    if (!/^[+-]?[0-7]+$/.test(text)) return int64(0n);
    const [, sign = "", digits = ""] = /^([+-]?)(.*)$/.exec(text) ?? [];
    return int64(parseInteger(`${sign}0${digits}`) ?? 0n);
  }),
  seq: define([], sequence, intType),
  until: define([intType], (count: bigint) => typed(intSlice, steps(0n, count, count < 0n ? -1n : 1n))),
  untilStep: define([intType, intType, intType], (start: bigint, stop: bigint, step: bigint) =>
    typed(intSlice, steps(start, stop, step)),
  ),
  add1: define([anyType], (value: unknown) => int64(toInteger(value) + 1n)),
  add: define([], (...values: unknown[]) => int64(values.map(toInteger).reduce((a, b) => a + b, 0n)), anyType),
  sub: define([anyType, anyType], (a: unknown, b: unknown) => int64(toInteger(a) - toInteger(b))),
  div: define([anyType, anyType], (a: unknown, b: unknown) => divided(a, b, (one, other) => one / other)),
  mod: define([anyType, anyType], (a: unknown, b: unknown) => divided(a, b, (one, other) => one % other)),
  mul: define(
    [anyType],
    (first: unknown, ...others: unknown[]) =>
      int64(others.map(toInteger).reduce((a, b) => BigInt.asIntN(64, a * b), toInteger(first))),
    anyType,
  ),
  randInt: define([intType, intType], (from: bigint, to: bigint) => {
    if (to <= from) throw new Error("invalid argument to Intn");
    return from + BigInt(randomInt(Number(to - from)));
  }),
  add1f: define([anyType], (value: unknown) => fromDecimal(plus(decimalOf(toFloat(value)), decimalOf(1)))),
  addf: define(
    [],
    (...values: unknown[]) => fromDecimal(values.map((value) => decimalOf(toFloat(value))).reduce(plus, decimalOf(0))),
    anyType,
  ),
  subf: decimals(minus),
  divf: decimals(divide),
  mulf: decimals(times),
  max: define([anyType], most, anyType),
  biggest: define([anyType], most, anyType),
  min: define(
    [anyType],
    (first: unknown, ...others: unknown[]) =>
      int64(others.map(toInteger).reduce((a, b) => (b < a ? b : a), toInteger(first))),
    anyType,
  ),
  maxf: define([anyType], (...values: unknown[]) => Math.max(...values.map(toFloat)), anyType),
  minf: define([anyType], (...values: unknown[]) => Math.min(...values.map(toFloat)), anyType),
  ceil: define([anyType], (value: unknown) => Math.ceil(toFloat(value))),
  floor: define([anyType], (value: unknown) => Math.floor(toFloat(value))),
  round: define([anyType, intType], round, float64Type),
};
