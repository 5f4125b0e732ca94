/**
 * The first key that an object in a JSON text has twice: readers differ in which of the two they take, so that a text
 * with one says different things to different programs. The text must be valid.
 */
export function duplicateKey(json: string): string | undefined {
  const open: (OpenObject | undefined)[] = [];
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === OBJECT) open.push({ first: undefined, keys: undefined });
    else if (code === ARRAY) open.push(undefined);
    else if (code === OBJECT_END || code === ARRAY_END) open.pop();
    if (code !== QUOTE) continue;
    const end = endOfString(json, at);
    const object = open.at(-1);
    if (object !== undefined && isKey(json, end)) {
      const key = textOf(json.slice(at, end));
      if (hasAlready(object, key)) return key;
    }
    at = end - 1;
  }
  return undefined;
}

export interface JsonLimits {
  /** How many arrays and objects stand within one another. */
  readonly depth: number;
  /** How many values there are, those that hold others included. */
  readonly values: number;
}

/**
 * Which limit a JSON text exceeds: what it costs to read one depends on them more than on its size. A text that is no
 * JSON may exceed any or none.
 */
export function exceededLimit(json: Uint8Array, limits: JsonLimits): keyof JsonLimits | undefined {
  let depth = 0;
  // Each value but the first follows a comma, or begins what it is in.
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    const code = json[at];
    if (code === OBJECT || code === ARRAY) {
      if (++depth > limits.depth) return "depth";
      values++;
    } else if (code === OBJECT_END || code === ARRAY_END) depth--;
    else if (code === COMMA) values++;
    else if (code === QUOTE) {
      for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
    }
    if (values > limits.values) return "values";
  }
  return undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Most objects that an attacker can fit in have one key: they need no set. */
interface OpenObject {
  first: string | undefined;
  keys: Set<string> | undefined;
}

function hasAlready(object: OpenObject, key: string): boolean {
  if (object.first === undefined) {
    object.first = key;
    return false;
  }
  object.keys ??= new Set([object.first]);
  if (object.keys.has(key)) return true;
  object.keys.add(key);
  return false;
}

/** Behind the quote that ends the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  let at = json.indexOf('"', start + 1);
  while (at !== -1) {
    let before = at - 1;
    while (json.charCodeAt(before) === BACKSLASH) before--;
    // Each two are one character, so that an odd one is the quote's.
    if ((at - before) % 2 === 1) return at + 1;
    at = json.indexOf('"', at + 1);
  }
  return json.length;
}

function isKey(json: string, end: number): boolean {
  let at = end;
  while (json.charCodeAt(at) <= 0x20) at++;
  return json.charAt(at) === ":";
}

function textOf(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  return JSON.parse(literal) as string;
}
