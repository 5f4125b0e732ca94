import { InvalidArgument } from "@boxship/base";

/** The value of a variable, or undefined if it is not set. */
export type Variables = (name: string) => string | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const SPECIAL = /^[0-9@*#]/;

function malformed(text: string, why: string): InvalidArgument {
  return new InvalidArgument(`cannot read ${JSON.stringify(text)}: ${why}`, {
    subject: { kind: "change", name: text },
  });
}

/**
 * A word of an instruction without its quotes and backslashes, its variables replaced (Containerfile reference,
 * "Environment replacement"): `'…'`, `"…"`, `\x`, `$NAME`, `${NAME}`, and `${NAME:-word}`, `:+`, `:?`, each also
 * without the colon.
 *
 * @throws InvalidArgument for open quotes and braces and for other forms
 */
export function expandWord(text: string, variables: Variables): string {
  return new WordReader(text, variables).read();
}

class WordReader {
  readonly #text: string;
  readonly #variables: Variables;
  #at = 0;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  /** @param end stop before this character, at the end of the text without one */
  read(end?: string): string {
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        if (end !== undefined) throw malformed(this.#text, `the "${end}" is missing`);
        return word;
      }
      if (character === end) return word;
      if (character === "'") word += this.#single();
      else if (character === '"') word += this.#double();
      else if (character === "$") word += this.#variable();
      else {
        if (character === "\\") this.#at++;
        word += this.#text[this.#at++] ?? "";
      }
    }
  }

  #single(): string {
    const close = this.#text.indexOf("'", this.#at + 1);
    if (close === -1) throw malformed(this.#text, "the single quote is not closed");
    const inner = this.#text.slice(this.#at + 1, close);
    this.#at = close + 1;
    return inner;
  }

  #double(): string {
    this.#at++;
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw malformed(this.#text, "the double quote is not closed");
      if (character === '"') {
        this.#at++;
        return word;
      }
      if (character === "$") {
        word += this.#variable();
        continue;
      }
      const next = this.#text[this.#at + 1];
      if (character === "\\" && (next === '"' || next === "$" || next === "\\")) this.#at++;
      word += this.#text[this.#at++] ?? "";
    }
  }

  #variable(): string {
    this.#at++;
    if (this.#text[this.#at] === "{") return this.#braced();
    const rest = this.#text.slice(this.#at);
    const name = NAME.exec(rest)?.[0] ?? SPECIAL.exec(rest)?.[0];
    if (name === undefined) return "$";
    this.#at += name.length;
    return this.#variables(name) ?? "";
  }

  #braced(): string {
    this.#at++;
    const rest = this.#text.slice(this.#at);
    const name = NAME.exec(rest)?.[0] ?? SPECIAL.exec(rest)?.[0];
    if (name === undefined) throw malformed(this.#text, "bad substitution");
    this.#at += name.length;
    const value = this.#variables(name);
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return value ?? "";
    }
    const modifier = /^(:?)([-+?])/.exec(this.#text.slice(this.#at));
    if (modifier === null) throw malformed(this.#text, "unsupported modifier in substitution");
    this.#at += modifier[0].length;
    const word = this.read("}");
    this.#at++;
    const isSet = modifier[1] === ":" ? value !== undefined && value !== "" : value !== undefined;
    switch (modifier[2]) {
      case "-":
        return isSet ? (value ?? "") : word;
      case "+":
        return isSet ? word : "";
      default:
        if (isSet) return value ?? "";
        throw malformed(this.#text, `${name}: ${word === "" ? "is not allowed to be unset" : word}`);
    }
  }
}

/** Splits a line into words at blanks that no quote and no backslash protects. Quotes and backslashes stay. */
export function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && /\s/.test(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    word += character;
    if (character === "\\" && quote !== "'") word += text.charAt(++at);
    else if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
  }
  if (word !== "") words.push(word);
  return words;
}
