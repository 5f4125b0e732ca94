import { randomBytes, randomInt } from "node:crypto";
import {
  anyType,
  quote as goQuote,
  intType,
  mapOf,
  sprint,
  sprintf,
  stringSliceType,
  stringType,
  type TemplateFunction,
  typed,
  valueOf,
} from "@boxship/template";
import { boundText, type Dict, define, itemsOf, textOf } from "./go-values.ts";
import { camelCase, delimitedCase } from "./word-case.ts";
import { abbreviate, initials, swapCase, title, uncapitalize, upperText, wrapText } from "./words.ts";

const text = [stringType];
const two = [stringType, stringType];
const three = [stringType, stringType, stringType];
const counted = [intType, stringType];

const strings = (values: readonly string[]) => typed(stringSliceType, [...values]);

/** What sprig joins: each item as text, without what is nothing. */
export function textsOf(value: unknown): readonly string[] {
  const items = itemsOf(value);
  if (items !== undefined) return items.filter((item) => valueOf(item) !== undefined).map(textOf);
  return valueOf(value) === undefined ? [] : [textOf(value)];
}

function trimAll(cut: string, value: string): string {
  const signs = new Set(cut);
  const all = Array.from(value);
  let [from, to] = [0, all.length];
  while (from < to && signs.has(all[from] ?? "")) from++;
  while (to > from && signs.has(all[to - 1] ?? "")) to--;
  return all.slice(from, to).join("");
}

function bytesOf(value: string, from: number, to: number): string {
  const bytes = Buffer.from(value);
  if (from > to || to > bytes.length || from < 0) {
    if (to > bytes.length)
      throw new Error(`runtime error: slice bounds out of range [:${to}] with length ${bytes.length}`);
    if (to < 0) throw new Error(`runtime error: slice bounds out of range [:${to}]`);
    throw new Error(`runtime error: slice bounds out of range [${from}:${to}]`);
  }
  return bytes.subarray(from, to).toString();
}

function truncate(count: bigint, value: string): string {
  const length = Buffer.byteLength(value);
  const size = Number(count);
  if (size < 0 && length + size > 0) return bytesOf(value, length + size, length);
  return size >= 0 && length > size ? bytesOf(value, 0, size) : value;
}

function substring(start: bigint, end: bigint, value: string): string {
  const length = Buffer.byteLength(value);
  if (start < 0n) return bytesOf(value, 0, Number(end));
  if (end < 0n || Number(end) > length) return bytesOf(value, Number(start), length);
  return bytesOf(value, Number(start), Number(end));
}

function indent(spaces: bigint, value: string): string {
  if (spaces < 0n) throw new Error("strings: negative Repeat count");
  const pad = Number(spaces);
  boundText(value.length + pad * (value.split("\n").length + 1));
  const blank = " ".repeat(pad);
  return blank + value.replaceAll("\n", `\n${blank}`);
}

function repeat(count: bigint, value: string): string {
  if (count < 0n) throw new Error("strings: negative Repeat count");
  boundText(Number(count) * value.length);
  return value.repeat(Number(count));
}

function replaceAll(old: string, by: string, value: string): string {
  // Go puts the new text before every character where the old one is empty.
  const parts = old === "" ? ["", ...Array.from(value), ""] : value.split(old);
  boundText(value.length + parts.length * by.length);
  return parts.join(by);
}

/** Go's `strings.Split`: characters where the separator is empty. */
const split = (separator: string, value: string): string[] =>
  separator === "" ? Array.from(value) : value.split(separator);

function splitAt(separator: string, count: number, value: string): string[] {
  if (count === 0) return [];
  const parts = split(separator, value);
  if (count < 0 || parts.length <= count) return parts;
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

function numbered(parts: readonly string[]) {
  const result: Dict = {};
  parts.forEach((part, at) => (result[`_${at}`] = part));
  return typed(mapOf(stringType, stringType), result);
}

const ALPHA = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS = "0123456789";
const ASCII = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join("");

const randomText = (signs: string) =>
  define([intType], (count: bigint) => {
    const size = Number(count);
    boundText(size);
    return Array.from({ length: Math.max(0, size) }, () => signs[randomInt(signs.length)]).join("");
  });

function shuffle(value: string): string {
  const signs = Array.from(value);
  for (let at = signs.length - 1; at > 0; at--) {
    const other = randomInt(at + 1);
    [signs[at], signs[other]] = [signs[other] ?? "", signs[at] ?? ""];
  }
  return signs.join("");
}

const cat = (...values: unknown[]): string => {
  const shown = values.filter((value) => valueOf(value) !== undefined);
  return sprintf(shown.map(() => "%v").join(" "), shown.map(valueOf));
};

/** Sprig's functions of text. */
export const stringFunctions: Readonly<Record<string, TemplateFunction>> = {
  hello: define([], () => "Hello!"),
  abbrev: define(counted, (width: bigint, value: string) => (width < 4n ? value : abbreviate(value, 0, Number(width)))),
  abbrevboth: define([intType, intType, stringType], (left: bigint, right: bigint, value: string) =>
    right < 4n || (left > 0n && right < 7n) ? value : abbreviate(value, Number(left), Number(right)),
  ),
  trunc: define(counted, truncate),
  trim: define(text, (value: string) => value.replace(/^[\s\u0085]+|[\s\u0085]+$/g, "")),
  upper: define(text, upperText),
  lower: define(text, (value: string) => value.toLowerCase()),
  title: define(text, title),
  untitle: define(text, uncapitalize),
  substr: define([intType, intType, stringType], substring),
  repeat: define(counted, repeat),
  trimall: define(two, trimAll),
  trimAll: define(two, trimAll),
  trimSuffix: define(two, (end: string, value: string) =>
    end !== "" && value.endsWith(end) ? value.slice(0, -end.length) : value,
  ),
  trimPrefix: define(two, (start: string, value: string) =>
    value.startsWith(start) ? value.slice(start.length) : value,
  ),
  nospace: define(text, (value: string) => value.replace(/[\s\u0085]+/g, "")),
  initials: define(text, initials),
  randAlphaNum: randomText(ALPHA + DIGITS),
  randAlpha: randomText(ALPHA),
  randAscii: randomText(ASCII),
  randNumeric: randomText(DIGITS),
  randBytes: define([intType], (count: bigint) => {
    boundText(Number(count));
    return randomBytes(Number(count)).toString("base64");
  }),
  swapcase: define(text, swapCase),
  shuffle: define(text, shuffle),
  snakecase: define(text, (value: string) => delimitedCase(value, "_")),
  camelcase: define(text, camelCase),
  kebabcase: define(text, (value: string) => delimitedCase(value, "-")),
  wrap: define(counted, (width: bigint, value: string) => wrapText(value, Number(width), "\n", false)),
  wrapWith: define([intType, stringType, stringType], (width: bigint, by: string, value: string) =>
    wrapText(value, Number(width), by || "\n", true),
  ),
  contains: define(two, (part: string, value: string) => value.includes(part)),
  hasPrefix: define(two, (part: string, value: string) => value.startsWith(part)),
  hasSuffix: define(two, (part: string, value: string) => value.endsWith(part)),
  quote: define(
    [],
    (...values: unknown[]) =>
      values
        .filter((value) => valueOf(value) !== undefined)
        .map((value) => goQuote(textOf(value)))
        .join(" "),
    anyType,
  ),
  squote: define(
    [],
    (...values: unknown[]) =>
      values
        .filter((value) => valueOf(value) !== undefined)
        .map((value) => `'${sprint([valueOf(value)])}'`)
        .join(" "),
    anyType,
  ),
  cat: define([], cat, anyType),
  indent: define(counted, indent),
  nindent: define(counted, (spaces: bigint, value: string) => `\n${indent(spaces, value)}`),
  replace: define(three, replaceAll),
  plural: define([stringType, stringType, intType], (one: string, many: string, count: bigint) =>
    count === 1n ? one : many,
  ),
  toString: define([anyType], textOf),
  toStrings: define([anyType], (value: unknown) => strings(textsOf(value))),
  split: define(two, (separator: string, value: string) => numbered(split(separator, value))),
  splitList: define(two, (separator: string, value: string) => strings(split(separator, value))),
  splitn: define([stringType, intType, stringType], (separator: string, count: bigint, value: string) =>
    numbered(splitAt(separator, Number(count), value)),
  ),
  join: define([stringType, anyType], (separator: string, value: unknown) => {
    const parts = textsOf(value);
    boundText(parts.length * separator.length);
    return parts.join(separator);
  }),
};
