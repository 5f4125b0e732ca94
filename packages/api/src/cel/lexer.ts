import { CelError, type Literal } from "./syntax.ts";

export type Token =
  | { readonly kind: "name"; readonly text: string; readonly at: number }
  | { readonly kind: "literal"; readonly literal: Literal; readonly at: number }
  | { readonly kind: "mark"; readonly text: string; readonly at: number }
  | { readonly kind: "end"; readonly at: number };

const MARKS = ["&&", "||", "==", "!=", "<=", ">=", "[?", ".?"];
const SINGLE = "+-*/%!<>?:.,()[]{}";
const SPACE = /(?:[ \t\r\n\f]+|\/\/[^\n]*)/y;
const NUMBER =
  /0[xX](?<hex>[0-9a-fA-F]+)(?<hu>[uU])?|(?<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|(?<int>\d+)(?<u>[uU])?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const ESCAPED_NAME = /`(?<name>[A-Za-z0-9_\-./ ]+)`/y;
const STRING = /(?<prefix>[rR]?[bB]|[bB]?[rR]|)(?<quote>"""|'''|"|')/y;
const LARGEST = 2n ** 64n - 1n;

/** Splits a text into words. @throws CelError */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const matchAt = (expression: RegExp, at: number): RegExpExecArray | null => {
    expression.lastIndex = at;
    return expression.exec(text);
  };
  for (let at = 0; at < text.length; ) {
    const space = matchAt(SPACE, at);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const string = matchAt(STRING, at);
    if (string !== null) {
      const { literal, end } = readString(text, at, string);
      tokens.push({ kind: "literal", literal, at });
      at = end;
      continue;
    }
    const previous = tokens.at(-1);
    const afterDot = previous?.kind === "mark" && previous.text.startsWith(".");
    const number = text[at] === "." && afterDot ? null : matchAt(NUMBER, at);
    if (number !== null && !(text[at] === "." && isOperand(previous))) {
      tokens.push({ kind: "literal", literal: numberOf(number, at), at });
      at += number[0].length;
      continue;
    }
    const name = matchAt(NAME, at) ?? matchAt(ESCAPED_NAME, at);
    if (name !== null) {
      tokens.push({ kind: "name", text: name.groups?.["name"] ?? name[0], at });
      at += name[0].length;
      continue;
    }
    const mark =
      MARKS.find((one) => text.startsWith(one, at)) ?? (SINGLE.includes(text[at] ?? "") ? text[at] : undefined);
    if (mark === undefined) throw new CelError(`Syntax error: token recognition error at: '${text[at]}'`, at);
    tokens.push({ kind: "mark", text: mark, at });
    at += mark.length;
  }
  return [...tokens, { kind: "end", at: text.length }];
}

/** After these a point is a selection, not the beginning of a number. */
function isOperand(token: Token | undefined): boolean {
  if (token === undefined || token.kind === "end") return false;
  return token.kind !== "mark" || token.text === ")" || token.text === "]" || token.text === "}";
}

function numberOf({ groups = {} }: RegExpExecArray, at: number): Literal {
  const { hex, hu, double, int, u } = groups;
  if (double !== undefined) return { kind: "double", value: Number(double) };
  const value = hex === undefined ? BigInt(int ?? "0") : BigInt(`0x${hex}`);
  const isUnsigned = hu !== undefined || u !== undefined;
  // One more than the largest: it may stand behind a minus.
  if (value > (isUnsigned ? LARGEST : 2n ** 63n)) throw new CelError("Syntax error: invalid int literal", at);
  return { kind: isUnsigned ? "uint" : "int", value };
}

function readString(text: string, at: number, match: RegExpExecArray): { literal: Literal; end: number } {
  const { prefix = "", quote = "" } = match.groups ?? {};
  const [isRaw, isBytes] = [/r/i.test(prefix), /b/i.test(prefix)];
  const start = at + match[0].length;
  let end = start;
  while (!text.startsWith(quote, end)) {
    if (end >= text.length || (quote.length === 1 && text[end] === "\n"))
      throw new CelError("Syntax error: a string does not end", at);
    end += !isRaw && text[end] === "\\" ? 2 : 1;
  }
  const body = text.slice(start, end);
  const literal: Literal = isBytes
    ? { kind: "bytes", value: isRaw ? Buffer.from(body) : unescapeBytes(body, start) }
    : { kind: "string", value: isRaw ? body : unescapeText(body, start) };
  return { literal, end: end + quote.length };
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "?": "?",
  '"': '"',
  "'": "'",
  "`": "`",
};

const ESCAPE =
  /\\(?:x(?<x>[0-9a-fA-F]{2})|X(?<X>[0-9a-fA-F]{2})|u(?<u>[0-9a-fA-F]{4})|U(?<U>[0-9a-fA-F]{8})|(?<o>[0-3][0-7]{2})|(?<c>.))/gs;

function unescapeText(body: string, at: number): string {
  return body.replace(ESCAPE, (whole: string, ...rest: unknown[]) => {
    const { x, X, u, U, o, c } = rest.at(-1) as Record<string, string | undefined>;
    const code = x ?? X ?? u ?? U;
    if (code !== undefined) return codePoint(Number.parseInt(code, 16), at);
    if (o !== undefined) return codePoint(Number.parseInt(o, 8), at);
    const simple = SIMPLE[c ?? ""];
    if (simple === undefined) throw new CelError(`Syntax error: unknown escape ${whole}`, at);
    return simple;
  });
}

function codePoint(code: number, at: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new CelError("Syntax error: no such character", at);
  return String.fromCodePoint(code);
}

function unescapeBytes(body: string, at: number): Uint8Array {
  const parts: Buffer[] = [];
  let last = 0;
  for (const match of body.matchAll(ESCAPE)) {
    parts.push(Buffer.from(body.slice(last, match.index)));
    const { x, X, o, c, u, U } = match.groups ?? {};
    const code = x ?? X;
    if (u !== undefined || U !== undefined) throw new CelError("Syntax error: no such escape in bytes", at);
    if (code !== undefined) parts.push(Buffer.of(Number.parseInt(code, 16)));
    else if (o !== undefined) parts.push(Buffer.of(Number.parseInt(o, 8)));
    else {
      const simple = SIMPLE[c ?? ""];
      if (simple === undefined) throw new CelError(`Syntax error: unknown escape ${match[0]}`, at);
      parts.push(Buffer.from(simple));
    }
    last = match.index + match[0].length;
  }
  parts.push(Buffer.from(body.slice(last)));
  return Buffer.concat(parts);
}
