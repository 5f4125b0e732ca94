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

/** What is told of a JSON text without parsing it. One that is no JSON may have any or none of it. */
export interface JsonSurvey {
  /** The first limit that it exceeds, where the survey ends. */
  readonly exceeded: keyof JsonLimits | undefined;
  /** How many keys its objects have: more than {@link countMembers} finds, if one has a key twice. */
  readonly members: number;
}

/** Looks at a JSON text before it is parsed: what that costs depends on its values more than on its size. */
export function surveyJson(json: Uint8Array, limits: JsonLimits): JsonSurvey {
  let depth = 0;
  let members = 0;
  // Each value but the first follows a comma, or begins what it is in.
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    const code = json[at];
    if (code === OBJECT || code === ARRAY) {
      if (++depth > limits.depth) return { exceeded: "depth", members };
      values++;
    } else if (code === OBJECT_END || code === ARRAY_END) depth--;
    else if (code === COMMA) values++;
    else if (code === COLON) members++;
    else if (code === QUOTE) {
      for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
    }
    if (values > limits.values) return { exceeded: "values", members };
  }
  return { exceeded: undefined, members };
}

/** How many keys the objects within a value that was parsed have. */
export function countMembers(value: unknown): number {
  const open: object[] = [];
  const look = (one: unknown) => {
    if (typeof one === "object" && one !== null) open.push(one);
  };
  look(value);
  let members = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) {
      next.forEach(look);
      continue;
    }
    // Of tens of thousands the keys and then each value are had in a fifth of the time that `Object.values` takes.
    const object = next as Readonly<Record<string, unknown>>;
    const keys = Object.keys(object);
    members += keys.length;
    for (const key of keys) look(object[key]);
  }
  return members;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
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
