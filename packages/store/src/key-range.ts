import { InvalidArgument } from "@boxship/base";
import type { KeyRange } from "./contract.ts";

const LAST_CODE_POINT = 0x10ffff;

/** All keys that begin with `prefix`; every key for an empty one. */
export function prefixRange(prefix: string): KeyRange {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_CODE_POINT) continue;
    // Surrogates are no characters: the one after U+D7FF is U+E000.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return { start: prefix, end: String.fromCodePoint(...points, next) };
  }
  return { start: prefix, end: "" };
}

/** The first key after `key`: what a list goes on from. */
export function keyAfter(key: string): string {
  return `${key}\0`;
}

/** Order of keys by their UTF-8 bytes, which is that of their code points. */
export function compareKeys(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)];
    if (a === b) continue;
    // Halves of a pair stand for code points beyond every single unit.
    const [aPair, bPair] = [isSurrogate(a), isSurrogate(b)];
    return aPair === bPair ? a - b : aPair ? 1 : -1;
  }
  return left.length - right.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

export function inRange(key: string, { start, end }: KeyRange): boolean {
  if (end === undefined) return key === start;
  return compareKeys(key, start) >= 0 && (end === "" || compareKeys(key, end) < 0);
}

/** @throws InvalidArgument for text that has no UTF-8 form */
export function checkKey(key: string): void {
  if (key.length > 0 && key.isWellFormed()) return;
  throw new InvalidArgument(key === "" ? "a key must not be empty" : `key ${JSON.stringify(key)} is not well-formed`, {
    subject: { kind: "key", name: key },
  });
}

/** @throws InvalidArgument */
export function checkRange({ start, end }: KeyRange): void {
  if (end === undefined) checkKey(start);
  else if (!start.isWellFormed() || !end.isWellFormed()) {
    throw new InvalidArgument(`range from ${JSON.stringify(start)} to ${JSON.stringify(end)} is not well-formed`);
  }
}
