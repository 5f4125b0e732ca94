/** What a server asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Parameter names are in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const BLANKS = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Reads the challenges of one or more header values, in order. What cannot be read ends the list: a client tries what it
 * understood.
 */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const text = header === undefined ? "" : typeof header === "string" ? header : header.join(", ");
  const reader = new Reader(text);
  const challenges: Challenge[] = [];
  for (;;) {
    reader.skip(SEPARATORS);
    const scheme = reader.match(TOKEN);
    if (scheme === undefined) return challenges;
    challenges.push({ scheme: scheme.toLowerCase(), parameters: readParameters(reader) });
  }
}

function readParameters(reader: Reader): Readonly<Record<string, string>> {
  const parameters = new Map<string, string>();
  for (;;) {
    const start = reader.position;
    reader.skip(SEPARATORS);
    const name = reader.match(TOKEN);
    if (name === undefined) break;
    reader.skip(BLANKS);
    const value = reader.accept("=") ? readValue(reader) : undefined;
    if (value === undefined) {
      // Not a parameter but the scheme of the next challenge.
      reader.position = start;
      break;
    }
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  return Object.fromEntries(parameters);
}

function readValue(reader: Reader): string | undefined {
  reader.skip(BLANKS);
  return reader.accept('"') ? reader.quoted() : reader.match(TOKEN);
}

class Reader {
  readonly #text: string;
  position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }

  skip(pattern: RegExp): void {
    this.match(pattern);
  }

  accept(character: string): boolean {
    if (this.#text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  /** The rest of a quoted string whose opening quote was accepted; undefined without a closing one. */
  quoted(): string | undefined {
    let value = "";
    while (this.position < this.#text.length) {
      const character = this.#text[this.position++] ?? "";
      if (character === '"') return value;
      value += character === "\\" ? (this.#text[this.position++] ?? "") : character;
    }
    return undefined;
  }
}
