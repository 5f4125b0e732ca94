import type { Token } from "./lex.ts";
import type { NumberNode } from "./node.ts";
import { quote, unquoteRune } from "./quote.ts";
import { Complex } from "./value.ts";

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

/** Underscores may stand only between digits, or after a radix prefix. */
function underscoresFit(text: string): boolean {
  if (!text.includes("_")) return true;
  if (!/^[+-]?0([xXoObB]|[0-7_])/.test(text) && !/^[+-]?\d/.test(text)) return false;
  const digits = text.replace(/^[+-]?0[xXoObB]_?/, "0").replace(/^[+-]?/, "");
  return !/^_|_$|__|_[^0-9a-fA-F]|[^0-9a-fA-F]_/.test(digits);
}

/** Go's integer literal: decimal, or with the prefixes 0x, 0o, 0b, or the bare 0 of octal. */
function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-7_]+|[0-9][0-9_]*)$/.exec(text);
  if (match === null || !underscoresFit(text)) return undefined;
  let digits = (match[2] ?? "").replaceAll("_", "");
  if (/^0[0-7]+$/.test(digits)) digits = `0o${digits.slice(1)}`;
  else if (/^0\d/.test(digits)) return undefined;
  const magnitude = BigInt(digits.toLowerCase());
  return match[1] === "-" ? -magnitude : magnitude;
}

/** A hexadecimal float such as `0x1.8p3`. */
function parseHexFloat(text: string): number | undefined {
  const match = /^([+-]?)0[xX]([0-9a-fA-F_]*)\.?([0-9a-fA-F_]*)[pP]([+-]?\d+)$/.exec(text);
  if (match === null) return undefined;
  const whole = (match[2] ?? "").replaceAll("_", "");
  const fraction = (match[3] ?? "").replaceAll("_", "");
  if (whole + fraction === "") return undefined;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  const magnitude = mantissa * 2 ** (Number(match[4]) - 4 * fraction.length);
  return match[1] === "-" ? -magnitude : magnitude;
}

/** Go's floating-point literal; undefined when malformed or beyond the range. */
export function parseFloatLiteral(text: string): number | undefined {
  if (!underscoresFit(text)) return undefined;
  if (/^[+-]?0[xX]/.test(text)) return parseHexFloat(text);
  const plain = text.replaceAll("_", "");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

type Forms = Omit<NumberNode, "type" | "text" | "position">;

function formsOfFloat(value: number): Forms {
  const whole = Number.isInteger(value) ? BigInt(value) : undefined;
  return {
    float: value,
    ...(whole !== undefined && whole >= MIN_INT64 && whole <= MAX_INT64 && { int: whole }),
    ...(whole !== undefined && whole >= 0n && whole <= MAX_UINT64 && { uint: whole }),
  };
}

function formsOfComplex(complex: Complex): Forms {
  return complex.imaginary === 0 ? { ...formsOfFloat(complex.real), complex } : { complex };
}

function parseComplex(text: string): Forms | undefined {
  const match = /^(.*[^eEpP])([+-].*)i$/.exec(text);
  const real = parseFloatLiteral(match?.[1] ?? "");
  const imaginary = parseFloatLiteral(match?.[2] ?? "");
  if (real === undefined || imaginary === undefined) return undefined;
  return formsOfComplex(new Complex(real, imaginary));
}

function parsePlain(text: string): Forms | { readonly problem: string } {
  if (text.endsWith("i")) {
    const imaginary = parseFloatLiteral(text.slice(0, -1));
    if (imaginary !== undefined) return formsOfComplex(new Complex(0, imaginary));
  }
  const whole = parseInteger(text);
  const int = whole !== undefined && whole >= MIN_INT64 && whole <= MAX_INT64 ? whole : undefined;
  const unsigned = whole !== undefined && !/^[+-]/.test(text) && whole <= MAX_UINT64 ? whole : undefined;
  const uint = unsigned ?? (int === 0n ? 0n : undefined);
  if (int !== undefined || uint !== undefined) {
    return { float: Number(int ?? uint), ...(int !== undefined && { int }), ...(uint !== undefined && { uint }) };
  }
  const float = parseFloatLiteral(text);
  if (float === undefined) return { problem: `illegal number syntax: ${quote(text)}` };
  // A float by force only: an integer too large for any integer type.
  if (!/[.eEpP]/.test(text)) return { problem: `integer overflow: ${quote(text)}` };
  return formsOfFloat(float);
}

/** The constant of a number, character or complex token, or what is wrong with it. */
export function parseNumber(token: Token): NumberNode | { readonly problem: string } {
  const located = { type: "number", text: token.text, position: token.position } as const;
  if (token.kind === "rune") {
    const rune = unquoteRune(token.text);
    if (typeof rune !== "number") return rune;
    return { ...located, int: BigInt(rune), uint: BigInt(rune), float: rune };
  }
  const forms =
    token.kind === "complex"
      ? (parseComplex(token.text) ?? { problem: "syntax error scanning complex number" })
      : parsePlain(token.text);
  return "problem" in forms ? forms : { ...located, ...forms };
}
