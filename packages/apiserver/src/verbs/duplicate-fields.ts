import type { Json } from "@boxship/api";

/**
 * Paths of the fields that a JSON text has twice in one object, e.g. `spec.replicas`. JSON.parse silently takes the
 * last. A text that is no JSON has none.
 *
 * @param parsed what the text says: where it is written as we write that, nothing is there twice, and that is quicker to see
 */
export function duplicateFields(text: Uint8Array, parsed?: Json): readonly string[] {
  const whole = Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8");
  if (parsed !== undefined && JSON.stringify(parsed) === whole) return [];
  const scanner = new Scanner(whole);
  scanner.value();
  return [...scanner.found];
}

const [QUOTE, BACKSLASH, COMMA, OPEN_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x22, 0x5c, 0x2c, 0x7b, 0x5b, 0x5d];

class Scanner {
  readonly found = new Set<string>();
  readonly #text: string;
  /** Fields and indexes that lead to where it is. */
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): void {
    switch (this.#next()) {
      case OPEN_OBJECT:
        return this.#object();
      case OPEN_LIST:
        return this.#array();
      case QUOTE:
        this.#string();
        return;
      default:
        while (this.#at < this.#text.length && !",]} \n\r\t".includes(this.#text[this.#at] ?? "")) this.#at++;
    }
  }

  #object(): void {
    const seen = new Set<string>();
    this.#at++;
    while (this.#next() === QUOTE) {
      const field = this.#string();
      this.#path.push(field);
      if (seen.has(field)) this.found.add(this.#here());
      seen.add(field);
      this.#next();
      this.#at++;
      this.value();
      this.#path.pop();
      if (this.#next() === COMMA) this.#at++;
    }
    this.#at++;
  }

  #array(): void {
    this.#at++;
    for (let index = 0; this.#at < this.#text.length; index++) {
      if (this.#next() === CLOSE_LIST) break;
      this.#path.push(index);
      this.value();
      this.#path.pop();
      if (this.#next() !== COMMA) break;
      this.#at++;
    }
    this.#at++;
  }

  #here(): string {
    return this.#path.reduce<string>(
      (path, part) => (typeof part === "number" ? `${path}[${part}]` : path === "" ? part : `${path}.${part}`),
      "",
    );
  }

  #string(): string {
    const start = this.#at + 1;
    let end = this.#text.indexOf('"', start);
    if (end < 0) end = this.#text.length;
    const plain = this.#text.slice(start, end);
    this.#at = end + 1;
    if (!plain.includes("\\")) return plain;
    for (end = start; end < this.#text.length && this.#text.charCodeAt(end) !== QUOTE; )
      end += this.#text.charCodeAt(end) === BACKSLASH ? 2 : 1;
    this.#at = end + 1;
    return unescaped(this.#text.slice(start, end));
  }

  /** The next character that is no white space; NaN at the end. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(++this.#at);
    return code;
  }
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
