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
  scanner.value("");
  return [...scanner.found];
}

class Scanner {
  readonly found = new Set<string>();
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(path: string): void {
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(path);
      case "[":
        return this.#array(path);
      case '"':
        this.#string();
        return;
      default:
        while (this.#at < this.#text.length && !",]} \n\r\t".includes(this.#text[this.#at] ?? "")) this.#at++;
    }
  }

  #object(path: string): void {
    const seen = new Set<string>();
    this.#at++;
    for (this.#space(); this.#text[this.#at] === '"'; this.#space()) {
      const field = this.#string();
      const at = path === "" ? field : `${path}.${field}`;
      if (seen.has(field)) this.found.add(at);
      seen.add(field);
      this.#space();
      this.#at++;
      this.value(at);
      this.#space();
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#at++;
  }

  #array(path: string): void {
    this.#at++;
    for (let index = 0; this.#at < this.#text.length; index++) {
      this.#space();
      if (this.#text[this.#at] === "]") break;
      this.value(`${path}[${index}]`);
      this.#space();
      if (this.#text[this.#at] === ",") this.#at++;
      else break;
    }
    this.#at++;
  }

  #string(): string {
    const start = this.#at + 1;
    let end = start;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    this.#at = end + 1;
    const raw = this.#text.slice(start, end);
    return raw.includes("\\") ? unescaped(raw) : raw;
  }

  #space(): void {
    while (this.#at < this.#text.length && " \n\r\t".includes(this.#text[this.#at] ?? "")) this.#at++;
  }
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
