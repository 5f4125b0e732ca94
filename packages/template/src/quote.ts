/** Go's quoting of strings and characters (`strconv.Quote`, `strconv.Unquote`). */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Whether Go prints the character as it is. */
export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

function escapeCharacter(character: string, delimiter: string, ascii: boolean): string {
  if (character === delimiter || character === "\\") return `\\${character}`;
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x7f ? point >= 0x20 : !ascii && isPrintable(character)) return character;
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  if (point < 0x20 || point === 0x7f) return `\\x${point.toString(16).padStart(2, "0")}`;
  // A lone surrogate has no UTF-8 form: Go would hold U+FFFD.
  if (point >= 0xd800 && point <= 0xdfff) return ascii ? "\\ufffd" : "\ufffd";
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, "0")}`;
  return `\\U${point.toString(16).padStart(8, "0")}`;
}

/** A double-quoted Go string literal; with `ascii` everything beyond ASCII is escaped. */
export function quote(text: string, ascii = false): string {
  let quoted = '"';
  for (const character of text) quoted += escapeCharacter(character, '"', ascii);
  return `${quoted}"`;
}

/** A single-quoted Go character literal. */
export function quoteRune(point: number, ascii = false): string {
  const valid = point >= 0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
  return `'${escapeCharacter(String.fromCodePoint(valid ? point : 0xfffd), "'", ascii)}'`;
}

/** A character as `%#U` prints it: `U+0023 '#'`. */
export function unicodePoint(character: string): string {
  const point = character.codePointAt(0);
  // At the end of the text Go prints its end-of-file marker, -1, as the number that it is.
  if (point === undefined) return "U+FFFFFFFFFFFFFFFF";
  const code = `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  return isPrintable(character) ? `${code} '${character}'` : code;
}

const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
};

const HEX_LENGTH: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** One unquoted character: a code point, or a byte where an escape names one. */
interface Unquoted {
  readonly value: number;
  readonly byte: boolean;
  readonly length: number;
}

function unquoteDigits(text: string, at: number, length: number, radix: number): number | undefined {
  const digits = text.slice(at, at + length);
  const valid = radix === 16 ? /^[0-9a-fA-F]+$/ : /^[0-7]+$/;
  return digits.length === length && valid.test(digits) ? Number.parseInt(digits, radix) : undefined;
}

/** Reads the character or escape at an offset; undefined when it is malformed. */
function unquoteAt(text: string, at: number, delimiter: string): Unquoted | undefined {
  const first = text.codePointAt(at);
  if (first === undefined) return undefined;
  if (first !== 92) return { value: first, byte: false, length: first > 0xffff ? 2 : 1 };
  const escape = text.charAt(at + 1);
  const simple = SIMPLE[escape];
  if (simple !== undefined) return { value: simple, byte: false, length: 2 };
  if (escape === '"' || escape === "'") {
    return escape === delimiter ? { value: escape.charCodeAt(0), byte: false, length: 2 } : undefined;
  }
  const hex = HEX_LENGTH[escape];
  if (hex !== undefined) {
    const value = unquoteDigits(text, at + 2, hex, 16);
    if (value === undefined || value > 0x10ffff || (hex > 2 && value >= 0xd800 && value <= 0xdfff)) return undefined;
    return { value, byte: escape === "x", length: 2 + hex };
  }
  const octal = unquoteDigits(text, at + 1, 3, 8);
  return octal === undefined || octal > 255 ? undefined : { value: octal, byte: true, length: 4 };
}

/** The text of a Go string literal (quoted or raw); undefined when it is malformed. */
export function unquote(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal.startsWith("`")) return body.replaceAll("\r", "");
  if (!body.includes("\\")) return body.includes("\n") ? undefined : body;
  const bytes: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const character = unquoteAt(body, at, '"');
    if (character === undefined) return undefined;
    bytes.push(character.byte ? Buffer.of(character.value) : Buffer.from(String.fromCodePoint(character.value)));
    at += character.length;
  }
  return Buffer.concat(bytes).toString();
}

/** The code point of a character literal, or why it is none. */
export function unquoteRune(literal: string): number | { readonly problem: string } {
  const body = literal.slice(1, -1);
  const character = literal.charAt(1) === "'" ? undefined : unquoteAt(literal, 1, "'");
  if (character === undefined) return { problem: "invalid syntax" };
  return character.length === body.length ? character.value : { problem: `malformed character constant: ${literal}` };
}
