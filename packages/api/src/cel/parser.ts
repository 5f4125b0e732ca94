import { type Token, tokenize } from "./lexer.ts";
import { CelError, type Entry, type Expression, type FieldEntry, type MapEntry } from "./syntax.ts";

/** Longer texts are nobody's rule. */
const LONGEST = 16 * 1024;
const DEEPEST = 200;

const RESERVED = new Set(
  "as break const continue else false for function if import in let loop namespace null package return true var void while".split(
    " ",
  ),
);

/** From what binds least to what binds most. */
const BINARY: readonly (readonly string[])[] = [
  ["==", "!=", "<", "<=", ">", ">=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Reads an expression. @throws CelError */
export function parse(text: string): Expression {
  if (text.length > LONGEST)
    throw new CelError(`expression code point size exceeds limit: size: ${text.length}, limit ${LONGEST}`, 0);
  const parser = new Parser(tokenize(text));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#expression();
    const token = this.#peek();
    if (token.kind !== "end") throw this.#unexpected(token);
    return expression;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#next + ahead] ?? { kind: "end", at: 0 };
  }

  #unexpected(token: Token): CelError {
    const what = token.kind === "end" ? "<EOF>" : token.kind === "literal" ? "a literal" : `'${token.text}'`;
    return new CelError(`Syntax error: mismatched input ${what}`, token.at);
  }

  /** Takes the mark if it is next. */
  #take(...marks: readonly string[]): string | undefined {
    const token = this.#peek();
    if (token.kind === "end" || token.kind === "literal" || !marks.includes(token.text)) return undefined;
    if (token.kind === "name" && token.text !== "in") return undefined;
    this.#next++;
    return token.text;
  }

  #expect(mark: string): void {
    if (this.#take(mark) === undefined) throw this.#unexpected(this.#peek());
  }

  #expression(): Expression {
    if (++this.#depth > DEEPEST) throw new CelError("Syntax error: it is nested too deeply", this.#peek().at);
    const { at } = this.#peek();
    const condition = this.#logic("||", () => this.#logic("&&", () => this.#binary(0)));
    this.#depth--;
    if (this.#take("?") === undefined) return condition;
    const yes = this.#logic("||", () => this.#logic("&&", () => this.#binary(0)));
    this.#expect(":");
    return { node: "call", name: "_?_:_", args: [condition, yes, this.#expression()], at };
  }

  #logic(mark: "||" | "&&", operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const { at } = this.#peek();
      if (this.#take(mark) === undefined) return left;
      left = { node: "call", name: `_${mark}_`, args: [left, operand()], at };
    }
  }

  #binary(level: number): Expression {
    const marks = BINARY[level];
    if (marks === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const { at } = this.#peek();
      const mark = this.#take(...marks);
      if (mark === undefined) return left;
      const right = this.#binary(level + 1);
      left = { node: "call", name: mark === "in" ? "@in" : `_${mark}_`, args: [left, right], at };
    }
  }

  #unary(): Expression {
    const { at } = this.#peek();
    const mark = this.#take("!", "-");
    if (mark === undefined) return this.#checked(this.#member());
    if (++this.#depth > DEEPEST) throw new CelError("Syntax error: it is nested too deeply", at);
    const next = this.#peek();
    if (mark === "-" && next.kind === "literal" && (next.literal.kind === "int" || next.literal.kind === "double")) {
      const operand = this.#member(true);
      this.#depth--;
      return operand;
    }
    const operand = this.#unary();
    this.#depth--;
    return { node: "call", name: mark === "!" ? "!_" : "-_", args: [operand], at };
  }

  /** The one integer that is only there with its minus. */
  #checked(expression: Expression): Expression {
    if (expression.node === "literal" && expression.value.kind === "int" && expression.value.value >= 2n ** 63n)
      throw new CelError("Syntax error: invalid int literal", expression.at);
    return expression;
  }

  #member(negative = false): Expression {
    let of = this.#primary(negative);
    for (let links = 0; ; links++) {
      if (links > DEEPEST) throw new CelError("Syntax error: it is nested too deeply", of.at);
      const { at } = this.#peek();
      const mark = this.#take(".", ".?", "[", "[?");
      if (mark === undefined) return of;
      if (mark === "[" || mark === "[?") {
        const key = this.#expression();
        this.#expect("]");
        of = { node: "index", of, key, optional: mark === "[?", at };
        continue;
      }
      const token = this.#peek();
      if (token.kind !== "name") throw this.#unexpected(token);
      this.#next++;
      if (mark === "." && this.#take("(") !== undefined)
        of = { node: "call", name: token.text, receiver: of, args: this.#list(")"), at };
      else of = { node: "select", of, field: token.text, optional: mark === ".?", at };
    }
  }

  #primary(negative: boolean): Expression {
    const token = this.#peek();
    const { at } = token;
    if (token.kind === "literal") {
      this.#next++;
      const { literal } = token;
      if (!negative) return { node: "literal", value: literal, at };
      if (literal.kind === "int") return { node: "literal", value: { kind: "int", value: -literal.value }, at };
      if (literal.kind === "double") return { node: "literal", value: { kind: "double", value: -literal.value }, at };
    }
    if (this.#take("(") !== undefined) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("[") !== undefined) return { node: "list", items: this.#items(), at };
    // `[?` at the beginning of a list is its first item's mark.
    if (this.#take("[?") !== undefined) return { node: "list", items: this.#items(true), at };
    if (this.#take("{") !== undefined) return { node: "map", entries: this.#entries(), at };
    this.#take(".");
    const name = this.#peek();
    if (name.kind !== "name") throw this.#unexpected(name);
    this.#next++;
    return this.#named(name.text, at);
  }

  #named(name: string, at: number): Expression {
    if (name === "true" || name === "false")
      return { node: "literal", value: { kind: "bool", value: name === "true" }, at };
    if (name === "null") return { node: "literal", value: { kind: "null" }, at };
    if (RESERVED.has(name)) throw new CelError(`Syntax error: reserved identifier: ${name}`, at);
    if (this.#take("(") !== undefined) return { node: "call", name, args: this.#list(")"), at };
    const type = this.#messageType(name);
    if (type !== undefined) return { node: "message", type, entries: this.#fields(), at };
    return { node: "name", name, at };
  }

  /** `Object.spec{` is the beginning of a message; `object.spec` is not. */
  #messageType(name: string): string | undefined {
    const isMark = (ahead: number, text: string): boolean => {
      const token = this.#peek(ahead);
      return token.kind === "mark" && token.text === text;
    };
    let ahead = 0;
    const parts = [name];
    while (isMark(ahead, ".")) {
      const part = this.#peek(ahead + 1);
      if (part.kind !== "name") return undefined;
      parts.push(part.text);
      ahead += 2;
    }
    if (!isMark(ahead, "{")) return undefined;
    this.#next += ahead + 1;
    return parts.join(".");
  }

  #list(end: string): readonly Expression[] {
    const items: Expression[] = [];
    if (this.#take(end) !== undefined) return items;
    do items.push(this.#expression());
    while (this.#take(",") !== undefined);
    this.#expect(end);
    return items;
  }

  #items(firstIsOptional = false): readonly Entry[] {
    const items: Entry[] = [];
    let optional = firstIsOptional;
    while (firstIsOptional || this.#take("]") === undefined) {
      if (!optional) optional = this.#take("?") !== undefined;
      items.push({ value: this.#expression(), optional });
      [firstIsOptional, optional] = [false, false];
      if (this.#take(",") !== undefined) continue;
      this.#expect("]");
      break;
    }
    return items;
  }

  #entries(): readonly MapEntry[] {
    const entries: MapEntry[] = [];
    while (this.#take("}") === undefined) {
      const optional = this.#take("?") !== undefined;
      const key = this.#expression();
      this.#expect(":");
      entries.push({ key, value: this.#expression(), optional });
      if (this.#take(",") !== undefined) continue;
      this.#expect("}");
      break;
    }
    return entries;
  }

  #fields(): readonly FieldEntry[] {
    const entries: FieldEntry[] = [];
    while (this.#take("}") === undefined) {
      const optional = this.#take("?") !== undefined;
      const token = this.#peek();
      if (token.kind !== "name") throw this.#unexpected(token);
      this.#next++;
      this.#expect(":");
      entries.push({ field: token.text, value: this.#expression(), optional });
      if (this.#take(",") !== undefined) continue;
      this.#expect("}");
      break;
    }
    return entries;
  }
}
