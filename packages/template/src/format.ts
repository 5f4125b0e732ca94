import { type Flags, noFlags } from "./format-flags.ts";
import { formatValue } from "./format-value.ts";
import { isSigned, isUnsigned } from "./types.ts";
import { intOf, type MaybeValue } from "./value.ts";

/** Go's `fmt.Sprint`: a space between two operands of which neither is a string. */
export function sprint(values: readonly MaybeValue[]): string {
  let text = "";
  let before: MaybeValue;
  for (const [index, value] of values.entries()) {
    const isText = (operand: MaybeValue) => operand?.type.kind === "string";
    if (index > 0 && !isText(value) && !isText(before)) text += " ";
    text += formatValue(value, "v", noFlags());
    before = value;
  }
  return text;
}

/** Go's `fmt.Sprintln`: spaces between all operands, and a newline. */
export function sprintln(values: readonly MaybeValue[]): string {
  return `${values.map((value) => formatValue(value, "v", noFlags())).join(" ")}\n`;
}

/** Go's `fmt.Sprintf`, wrong arguments and all: `%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA int=1)`. */
export function sprintf(format: string, values: readonly MaybeValue[]): string {
  return new Formatter(format, values).run();
}

/** Larger widths, precisions and argument numbers are refused, as in Go. */
const TOO_LARGE = 1_000_000;

class Formatter {
  readonly #format: string;
  readonly #values: readonly MaybeValue[];
  #at = 0;
  #argument = 0;
  #reordered = false;
  #goodArgument = true;
  #afterIndex = false;
  #output = "";

  constructor(format: string, values: readonly MaybeValue[]) {
    this.#format = format;
    this.#values = values;
  }

  run(): string {
    for (;;) {
      const percent = this.#format.indexOf("%", this.#at);
      this.#output += this.#format.slice(this.#at, percent < 0 ? undefined : percent);
      if (percent < 0) break;
      this.#at = percent + 1;
      this.#verb();
    }
    if (!this.#reordered && this.#argument < this.#values.length) this.#extra();
    return this.#output;
  }

  #peek(): string {
    return this.#format.charAt(this.#at);
  }

  #verb(): void {
    const flags = noFlags();
    this.#goodArgument = true;
    this.#afterIndex = false;
    this.#flags(flags);
    this.#index();
    this.#width(flags);
    this.#precision(flags);
    if (!this.#afterIndex) this.#index();
    const point = this.#format.codePointAt(this.#at);
    if (point === undefined) {
      this.#output += "%!(NOVERB)";
      return;
    }
    const verb = String.fromCodePoint(point);
    this.#at += verb.length;
    this.#output += this.#print(verb, flags);
  }

  #flags(flags: Flags): void {
    for (; ; this.#at++) {
      switch (this.#peek()) {
        case "#":
          flags.sharp = true;
          break;
        case "0":
          flags.zero = true;
          break;
        case "+":
          flags.plus = true;
          break;
        case "-":
          flags.minus = true;
          break;
        case " ":
          flags.space = true;
          break;
        default:
          return;
      }
    }
  }

  #number(): number | undefined {
    const digits = /^\d+/.exec(this.#format.slice(this.#at, this.#at + 8))?.[0];
    if (digits === undefined) return undefined;
    const value = Number(digits);
    this.#at += digits.length;
    if (value <= TOO_LARGE) return value;
    while (/\d/.test(this.#peek())) this.#at++;
    return undefined;
  }

  /** An explicit argument number, `[3]`. */
  #index(): void {
    if (this.#peek() !== "[") return;
    this.#reordered = true;
    const close = this.#format.indexOf("]", this.#at);
    const digits = close < 0 ? "" : this.#format.slice(this.#at + 1, close);
    const index = /^\d{1,7}$/.test(digits) ? Number(digits) : 0;
    this.#at = close < 0 ? this.#at + 1 : close + 1;
    this.#afterIndex = index > 0;
    if (index >= 1 && index <= this.#values.length) this.#argument = index - 1;
    else this.#goodArgument = false;
  }

  /** The value of a `*`. */
  #star(): number | undefined {
    this.#at++;
    this.#afterIndex = false;
    if (this.#argument >= this.#values.length) return undefined;
    const value = this.#values[this.#argument++];
    if (value === undefined || !(isSigned(value.type.kind) || isUnsigned(value.type.kind))) return undefined;
    const number = Number(intOf(value));
    return Math.abs(number) > TOO_LARGE ? undefined : number;
  }

  #width(flags: Flags): void {
    if (this.#peek() === "*") {
      flags.width = this.#star();
      if (flags.width === undefined) this.#output += "%!(BADWIDTH)";
      else if (flags.width < 0) {
        flags.width = -flags.width;
        flags.minus = true;
        flags.zero = false;
      }
      return;
    }
    flags.width = this.#number();
    if (this.#afterIndex && flags.width !== undefined) this.#goodArgument = false;
  }

  #precision(flags: Flags): void {
    if (this.#peek() !== "." || this.#at + 1 >= this.#format.length) return;
    this.#at++;
    if (this.#afterIndex) this.#goodArgument = false;
    this.#index();
    if (this.#peek() !== "*") {
      flags.precision = this.#number() ?? 0;
      return;
    }
    flags.precision = this.#star();
    if (flags.precision !== undefined && flags.precision < 0) flags.precision = undefined;
    if (flags.precision === undefined) this.#output += "%!(BADPREC)";
  }

  #print(verb: string, flags: Flags): string {
    if (verb === "%") return "%";
    if (!this.#goodArgument) return `%!${verb}(BADINDEX)`;
    if (this.#argument >= this.#values.length) return `%!${verb}(MISSING)`;
    const value = this.#values[this.#argument++];
    if (verb === "v") {
      flags.sharpV = flags.sharp;
      flags.plusV = flags.plus;
      flags.sharp = false;
      flags.plus = false;
    }
    return formatValue(value, verb, flags);
  }

  #extra(): void {
    const extras = this.#values
      .slice(this.#argument)
      .map((value) => (value === undefined ? "<nil>" : `${value.type.name}=${formatValue(value, "v", noFlags())}`));
    this.#output += `%!(EXTRA ${extras.join(", ")})`;
  }
}
