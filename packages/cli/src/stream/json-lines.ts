import type { Readable } from "node:stream";

/** Values of a stream of JSON texts that stand one after another. */
export async function* jsonValues(input: Readable): AsyncGenerator<unknown, void, undefined> {
  for await (const text of jsonTexts(input)) yield JSON.parse(text);
}

/** The texts of a stream's objects and arrays, with or without white space between them. */
export async function* jsonTexts(input: Readable): AsyncGenerator<string, void, undefined> {
  const splitter = new ValueSplitter();
  const decoder = new TextDecoder();
  for await (const chunk of input) yield* splitter.push(decoder.decode(chunk as Buffer, { stream: true }));
  const rest = splitter.rest();
  if (rest.trim() !== "") yield rest;
}

/** Characters that mean something. */
const [IN_STRING, OUTSIDE] = [/["\\]/g, /["{}[\]]/g];

/** Finds the ends of objects and arrays. Each character is looked at once, however long a value is. */
class ValueSplitter {
  /** Of the value that has not ended. */
  #pieces: string[] = [];
  #depth = 0;
  #quoted = false;
  #escaped = false;

  *push(text: string): Generator<string> {
    let start = 0;
    for (let at = this.#next(text, 0); at < text.length; at = this.#next(text, at + 1)) {
      if (!this.#endsAt(text.charAt(at))) continue;
      this.#pieces.push(text.slice(start, at + 1));
      start = at + 1;
      yield this.rest();
    }
    if (start < text.length) this.#pieces.push(text.slice(start));
  }

  rest(): string {
    const text = this.#pieces.join("");
    this.#pieces = [];
    return text;
  }

  /** Where the next character that means something is. */
  #next(text: string, from: number): number {
    if (this.#escaped && from < text.length) {
      this.#escaped = false;
      return this.#next(text, from + 1);
    }
    const sign = this.#quoted ? IN_STRING : OUTSIDE;
    sign.lastIndex = from;
    return sign.exec(text)?.index ?? text.length;
  }

  #endsAt(character: string): boolean {
    if (character === '"') this.#quoted = !this.#quoted;
    else if (character === "\\") this.#escaped = true;
    else if (character === "{" || character === "[") this.#depth++;
    else this.#depth--;
    return !this.#quoted && this.#depth === 0 && (character === "}" || character === "]");
  }
}
