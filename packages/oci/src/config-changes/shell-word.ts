import { InvalidArgument } from "@boxship/base";
import { ShellPattern } from "./shell-pattern.ts";

/** The value of a variable, or undefined if it is not set. */
export type Variables = (name: string) => string | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const SPECIAL = /^[0-9@*#]/;

/** How long a word may become: values can hold values, and twice as much with every line. */
const LONGEST = 4 * 1024 ** 2;

/** How deep words may stand in words. */
const DEEPEST = 100;

/** How much of a word is shown. */
const SHOWN = 1000;

function malformed(whole: string, why: string): InvalidArgument {
  const text = whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole;
  return new InvalidArgument(`cannot read ${JSON.stringify(text)}: ${why}`, {
    subject: { kind: "change", name: text },
  });
}

export interface ExpandOptions {
  /** The character that takes away the meaning of the next one. @default "\\" */
  readonly escape?: "\\" | "`";
}

/**
 * A word of an instruction without its quotes and escapes, its variables replaced (Containerfile reference,
 * "Environment replacement"): `'…'`, `"…"`, `\x`, `$NAME`, `${NAME}`, and `${NAME` followed by `:-word`, `:+`, `:?`, each
 * also without the colon, `#pattern`, `##`, `%`, `%%`, `/pattern/replacement`, `//`, and `}`.
 *
 * @throws InvalidArgument for open quotes and braces and for other forms
 */
export function expandWord(text: string, variables: Variables, options: ExpandOptions = {}): string {
  return new WordReader(text, variables, options.escape ?? "\\").read();
}

/**
 * Like {@link expandWord}, for instructions that take several words where one is written: blanks in the value of a
 * variable that stands outside of quotes part words.
 */
export function expandWords(text: string, variables: Variables, options: ExpandOptions = {}): readonly string[] {
  const reader = new WordReader(text, variables, options.escape ?? "\\");
  return reader.readWords();
}

class WordReader {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #escape: string;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables, escape: string) {
    this.#text = text;
    this.#variables = variables;
    this.#escape = escape;
  }

  /**
   * @param end stop before this character, at the end of the text without one
   * @param raw leave escapes as they are: in patterns they mean something
   */
  read(end?: string, raw = false): string {
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        if (end !== undefined) throw malformed(this.#text, `the "${end}" is missing`);
        return word;
      }
      if (character === end) return word;
      word = this.#longer(word, this.#piece(character, raw));
    }
  }

  readWords(): readonly string[] {
    const words: string[] = [];
    let word: string | undefined;
    const end = () => {
      if (word !== undefined) words.push(word);
      word = undefined;
    };
    for (let character = this.#text[this.#at]; character !== undefined; character = this.#text[this.#at]) {
      if (/\s/.test(character)) {
        this.#at++;
        end();
      } else if (character === "$") {
        const parts = this.#variable().split(/\s+/);
        for (const [index, part] of parts.entries()) {
          if (index > 0) end();
          if (part !== "") word = this.#longer(word ?? "", part);
        }
      } else word = this.#longer(word ?? "", this.#piece(character, false));
    }
    end();
    return words;
  }

  #longer(word: string, piece: string): string {
    if (word.length + piece.length <= LONGEST) return word + piece;
    throw malformed(this.#text, `it has more than ${LONGEST} characters once its variables are replaced`);
  }

  #piece(character: string, raw: boolean): string {
    if (character === "'") return this.#single();
    if (character === '"') return this.#double();
    if (character === "$") return this.#variable();
    const escaped = character === this.#escape;
    if (escaped) this.#at++;
    const piece = this.#text[this.#at++] ?? "";
    return escaped && raw ? `${character}${piece}` : piece;
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
        word = this.#longer(word, this.#variable());
        continue;
      }
      const next = this.#text[this.#at + 1];
      if (character === this.#escape && (next === '"' || next === "$" || next === this.#escape)) this.#at++;
      word += this.#text[this.#at++] ?? "";
    }
  }

  #variable(): string {
    this.#at++;
    if (this.#text[this.#at] === "{") {
      if (++this.#depth > DEEPEST) throw malformed(this.#text, `substitutions are nested more than ${DEEPEST} deep`);
      const value = this.#braced();
      this.#depth--;
      return value;
    }
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
    const modifier = /^(?:\}|:?[-+?]|##?|%%?|\/\/?)/.exec(this.#text.slice(this.#at))?.[0];
    if (modifier === undefined) throw malformed(this.#text, "unsupported modifier in substitution");
    this.#at += modifier.length;
    if (modifier === "}") return value ?? "";
    if (modifier.startsWith("/")) return this.#replaced(value ?? "", modifier === "//");
    const isPattern = /^[#%]/.test(modifier);
    const word = this.read("}", isPattern);
    this.#at++;
    return isPattern ? this.#trimmed(value ?? "", modifier, word) : this.#chosen(name, value, modifier, word);
  }

  #chosen(name: string, value: string | undefined, modifier: string, word: string): string {
    const isSet = modifier.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
    switch (modifier.at(-1)) {
      case "-":
        return isSet ? (value ?? "") : word;
      case "+":
        return isSet ? word : "";
      default:
        if (isSet) return value ?? "";
        throw malformed(this.#text, `${name}: ${word === "" ? notAllowed(value) : word}`);
    }
  }

  #trimmed(value: string, modifier: string, pattern: string): string {
    const longest = modifier.length === 2;
    const read = new ShellPattern(pattern);
    return modifier.startsWith("#") ? read.withoutBeginning(value, longest) : read.withoutEnd(value, longest);
  }

  #replaced(value: string, all: boolean): string {
    const pattern = this.read("/", true);
    this.#at++;
    const replacement = this.read("}");
    this.#at++;
    return new ShellPattern(pattern).replace(value, replacement, all);
  }
}

function notAllowed(value: string | undefined): string {
  return value === undefined ? "is not allowed to be unset" : "is not allowed to be empty";
}

/** Splits a line into words at blanks that no quote and no escape protects. Quotes and escapes stay. */
export function splitWords(text: string, escape: "\\" | "`" = "\\"): readonly string[] {
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
    if (character === escape && quote !== "'") word += text.charAt(++at);
    else if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
  }
  if (word !== "") words.push(word);
  return words;
}
