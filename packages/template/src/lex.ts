import { quote, unicodePoint } from "./quote.ts";

/** Kinds of tokens. Keywords are kinds of their own name. */
export type TokenKind =
  | "error"
  | "bool"
  | "char"
  | "rune"
  | "comment"
  | "complex"
  | "assign"
  | "declare"
  | "eof"
  | "field"
  | "identifier"
  | "leftDelim"
  | "leftParen"
  | "number"
  | "pipe"
  | "rawString"
  | "rightDelim"
  | "rightParen"
  | "space"
  | "string"
  | "text"
  | "variable"
  | "dot"
  | Keyword;

export type Keyword =
  | "block"
  | "break"
  | "continue"
  | "define"
  | "else"
  | "end"
  | "if"
  | "nil"
  | "range"
  | "template"
  | "with";

const KEYWORDS: ReadonlySet<string> = new Set<Keyword>([
  "block",
  "break",
  "continue",
  "define",
  "else",
  "end",
  "if",
  "nil",
  "range",
  "template",
  "with",
]);

function isKeyword(word: string): word is Keyword {
  return KEYWORDS.has(word);
}

export interface Token {
  readonly kind: TokenKind;
  /** Offset of the first UTF-16 unit in the input. */
  readonly position: number;
  readonly text: string;
  /** 1-based line on which the token starts. */
  readonly line: number;
}

/** A token as parse errors name it. */
export function describeToken(token: Token): string {
  if (token.kind === "eof") return "EOF";
  if (token.kind === "error") return token.text;
  if (token.kind === "dot" || isKeyword(token.kind)) return `<${token.text}>`;
  if (Buffer.byteLength(token.text) > 10) return `${quote(Array.from(token.text).slice(0, 10).join(""))}...`;
  return quote(token.text);
}

export interface LexOptions {
  /** @default "{{" */
  readonly left?: string;
  /** @default "}}" */
  readonly right?: string;
  /** Whether `break` is a keyword; not when a function has that name. @default true */
  readonly breakKeyword?: boolean;
  /** The same for `continue`. @default true */
  readonly continueKeyword?: boolean;
}

const SPACE = " \t\r\n";

const isSpace = (character: string): boolean => character !== "" && SPACE.includes(character);
const isWord = (character: string): boolean => /^[\p{L}\p{Nd}_]$/u.test(character);
const isDigit = (character: string): boolean => character >= "0" && character <= "9";

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** Splits a template's text into tokens. After an `error` or `eof` token only `eof` follows. */
export class Lexer {
  readonly #input: string;
  readonly #left: string;
  readonly #right: string;
  readonly #options: LexOptions;
  #position = 0;
  #start = 0;
  #line = 1;
  #insideAction = false;
  #parens = 0;
  #failed = false;

  constructor(input: string, options: LexOptions = {}) {
    this.#input = input;
    this.#left = options.left || "{{";
    this.#right = options.right || "}}";
    this.#options = options;
  }

  next(): Token {
    if (this.#failed) return { kind: "eof", position: 0, text: "EOF", line: this.#line };
    return this.#insideAction ? this.#action() : this.#text();
  }

  /** Everything from the token's start up to the current position. */
  #emit(kind: TokenKind): Token {
    const text = this.#input.slice(this.#start, this.#position);
    const token: Token = { kind, position: this.#start, text, line: this.#line };
    this.#line += countLines(text);
    this.#start = this.#position;
    return token;
  }

  #ignore(): void {
    this.#line += countLines(this.#input.slice(this.#start, this.#position));
    this.#start = this.#position;
  }

  #error(text: string): Token {
    this.#failed = true;
    return { kind: "error", position: this.#start, text, line: this.#line };
  }

  /** The character at the current position; empty at the end. */
  #peek(): string {
    const point = this.#input.codePointAt(this.#position);
    return point === undefined ? "" : String.fromCodePoint(point);
  }

  #take(): string {
    const character = this.#peek();
    this.#position += character.length;
    return character;
  }

  #accept(valid: string): boolean {
    const character = this.#peek();
    if (character === "" || !valid.includes(character)) return false;
    this.#position += character.length;
    return true;
  }

  #acceptRun(valid: string): void {
    while (this.#accept(valid));
  }

  #startsWith(text: string, offset = 0): boolean {
    return this.#input.startsWith(text, this.#position + offset);
  }

  #skipSpace(): void {
    while (isSpace(this.#input.charAt(this.#position))) this.#position++;
  }

  #text(): Token {
    const found = this.#input.indexOf(this.#left, this.#position);
    if (found < 0) {
      this.#position = this.#input.length;
      return this.#emit(this.#position > this.#start ? "text" : "eof");
    }
    if (found > this.#position) {
      const end = this.#hasLeftTrim(found + this.#left.length) ? this.#trimmedEnd(found) : found;
      this.#position = end;
      const token = this.#emit("text");
      this.#position = found;
      this.#ignore();
      if (token.text !== "") return token;
    }
    return this.#leftDelim();
  }

  /** Where the text before `end` ends without its trailing space. */
  #trimmedEnd(end: number): number {
    let trimmed = end;
    while (trimmed > this.#start && isSpace(this.#input.charAt(trimmed - 1))) trimmed--;
    return trimmed;
  }

  #hasLeftTrim(at: number): boolean {
    return this.#input.charAt(at) === "-" && isSpace(this.#input.charAt(at + 1));
  }

  #leftDelim(): Token {
    const trims = this.#hasLeftTrim(this.#position + this.#left.length);
    const marker = trims ? 2 : 0;
    if (this.#startsWith("/*", this.#left.length + marker)) {
      this.#position += this.#left.length + marker;
      this.#ignore();
      return this.#comment();
    }
    this.#position += this.#left.length;
    const token = this.#emit("leftDelim");
    this.#position += marker;
    this.#ignore();
    this.#insideAction = true;
    this.#parens = 0;
    return token;
  }

  #comment(): Token {
    const end = this.#input.indexOf("*/", this.#position + 2);
    if (end < 0) return this.#error("unclosed comment");
    this.#position = end + 2;
    const delimiter = this.#atRightDelim();
    if (delimiter === undefined) return this.#error("comment ends before closing delimiter");
    this.#passRightDelim(delimiter.trims);
    this.#ignore();
    return this.#text();
  }

  #atRightDelim(): { readonly trims: boolean } | undefined {
    const here = this.#position;
    if (isSpace(this.#input.charAt(here)) && this.#input.charAt(here + 1) === "-" && this.#startsWith(this.#right, 2)) {
      return { trims: true };
    }
    return this.#startsWith(this.#right) ? { trims: false } : undefined;
  }

  #passRightDelim(trims: boolean): void {
    this.#position += this.#right.length + (trims ? 2 : 0);
    if (trims) this.#skipSpace();
  }

  #rightDelim(trims: boolean): Token {
    if (trims) {
      this.#position += 2;
      this.#ignore();
    }
    this.#position += this.#right.length;
    const token = this.#emit("rightDelim");
    if (trims) {
      this.#skipSpace();
      this.#ignore();
    }
    this.#insideAction = false;
    return token;
  }

  #action(): Token {
    const delimiter = this.#atRightDelim();
    if (delimiter !== undefined) {
      return this.#parens === 0 ? this.#rightDelim(delimiter.trims) : this.#error("unclosed left paren");
    }
    const character = this.#peek();
    if (character === "") return this.#error("unclosed action");
    if (isSpace(character)) return this.#space();
    if (character === "." ? this.#dotStartsNumber() : /[0-9+-]/.test(character)) {
      return this.#number();
    }
    if (isWord(character)) return this.#identifier();
    this.#position += character.length;
    return this.#symbol(character);
  }

  /** Go takes a dot at the very end of the text for a number, too. */
  #dotStartsNumber(): boolean {
    const next = this.#input.charAt(this.#position + 1);
    return next === "" || isDigit(next);
  }

  #symbol(character: string): Token {
    switch (character) {
      case "=":
        return this.#emit("assign");
      case ":":
        return this.#accept("=") ? this.#emit("declare") : this.#error("expected :=");
      case "|":
        return this.#emit("pipe");
      case '"':
        return this.#quoted('"', "string", "unterminated quoted string");
      case "'":
        return this.#quoted("'", "rune", "unterminated character constant");
      case "`":
        return this.#rawQuoted();
      case "$":
        return this.#name("variable", "variable");
      case ".":
        return this.#name("field", "dot");
      case "(":
        this.#parens++;
        return this.#emit("leftParen");
      case ")":
        this.#parens--;
        return this.#parens < 0 ? this.#error("unexpected right paren") : this.#emit("rightParen");
      default:
        if (/^[!-~]$/.test(character)) return this.#emit("char");
        return this.#error(`unrecognized character in action: ${unicodePoint(character)}`);
    }
  }

  #space(): Token {
    let end = this.#position;
    while (isSpace(this.#input.charAt(end))) end++;
    // The last space may belong to a trim marker: " -}}".
    if (this.#input.charAt(end) === "-" && this.#input.startsWith(this.#right, end + 1)) {
      end--;
      if (end === this.#position) return this.#rightDelim(true);
    }
    this.#position = end;
    return this.#emit("space");
  }

  #acceptWord(): void {
    while (isWord(this.#peek())) this.#take();
  }

  #badCharacter(): Token {
    return this.#error(`bad character ${unicodePoint(this.#peek())}`);
  }

  #identifier(): Token {
    this.#acceptWord();
    if (!this.#atTerminator()) return this.#badCharacter();
    const word = this.#input.slice(this.#start, this.#position);
    if (word === "true" || word === "false") return this.#emit("bool");
    if (!isKeyword(word)) return this.#emit("identifier");
    const free =
      (word === "break" && this.#options.breakKeyword === false) ||
      (word === "continue" && this.#options.continueKeyword === false);
    return this.#emit(free ? "identifier" : word);
  }

  /** A field or a variable; `bare` when no name follows. */
  #name(kind: TokenKind, bare: TokenKind): Token {
    if (this.#atTerminator()) return this.#emit(bare);
    this.#acceptWord();
    return this.#atTerminator() ? this.#emit(kind) : this.#badCharacter();
  }

  #atTerminator(): boolean {
    const character = this.#peek();
    return character === "" || isSpace(character) || ".,|:)(".includes(character) || this.#startsWith(this.#right);
  }

  #quoted(end: string, kind: TokenKind, unterminated: string): Token {
    for (;;) {
      let character = this.#take();
      if (character === end) return this.#emit(kind);
      const escaped = character === "\\";
      if (escaped) character = this.#take();
      if (character === "" || character === "\n") return this.#error(unterminated);
    }
  }

  #rawQuoted(): Token {
    const end = this.#input.indexOf("`", this.#position);
    if (end < 0) return this.#error("unterminated raw quoted string");
    this.#position = end + 1;
    return this.#emit("rawString");
  }

  #number(): Token {
    const bad = () => this.#error(`bad number syntax: ${quote(this.#input.slice(this.#start, this.#position))}`);
    if (!this.#scanNumber()) return bad();
    if (!"+-".includes(this.#peek() || " ")) return this.#emit("number");
    if (!this.#scanNumber() || this.#input.charAt(this.#position - 1) !== "i") return bad();
    return this.#emit("complex");
  }

  #scanNumber(): boolean {
    this.#accept("+-");
    const digits = this.#scanPrefix();
    this.#acceptRun(digits);
    if (this.#accept(".")) this.#acceptRun(digits);
    const exponent = digits === "0123456789_" ? "eE" : digits.length > 16 ? "pP" : "";
    if (this.#accept(exponent)) {
      this.#accept("+-");
      this.#acceptRun("0123456789_");
    }
    this.#accept("i");
    if (!isWord(this.#peek())) return true;
    this.#take();
    return false;
  }

  /** Passes a radix prefix; the digits that may follow. */
  #scanPrefix(): string {
    if (this.#accept("0")) {
      if (this.#accept("xX")) return "0123456789abcdefABCDEF_";
      if (this.#accept("oO")) return "01234567_";
      if (this.#accept("bB")) return "01_";
    }
    return "0123456789_";
  }
}
