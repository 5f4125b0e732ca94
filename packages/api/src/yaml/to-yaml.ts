import { numberText } from "../object/go-json.ts";
import { isObject, type Json } from "../object/json.ts";
import { compareKeys, isPlainText } from "./yaml-text.ts";

/** Where lines are folded, in characters. */
const BEST_WIDTH = 80;
/** Keys that are longer are written with a question mark before them. */
const LONGEST_KEY = 128;

/** A value as the YAML library of Kubernetes' tools writes it, with a line's end. */
export function toYaml(value: Json): string {
  const writer = new Writer();
  writer.node(value, 0, "root");
  return `${writer.text}\n`;
}

type Place = "root" | "item" | "value";

class Writer {
  text = "";
  #column = 0;

  #put(text: string): void {
    this.text += text;
    const end = text.lastIndexOf("\n");
    this.#column = end < 0 ? this.#column + Array.from(text).length : Array.from(text.slice(end + 1)).length;
  }

  /** @param indent where lines of the value begin; of a scalar's, where it goes on */
  node(value: Json | undefined, indent: number, place: Place): void {
    if (Array.isArray(value) && value.length > 0) this.#list(value, indent, place);
    else if (isObject(value) && Object.keys(value).length > 0) this.#map(value, indent, place);
    else {
      if (place === "value") this.#put(" ");
      this.#scalar(value, place === "item" ? indent : indent + 2, false);
    }
  }

  #list(items: readonly Json[], indent: number, place: Place): void {
    items.forEach((item, index) => {
      if (index > 0 || place === "value") this.#put(`\n${" ".repeat(indent)}`);
      this.#put("- ");
      this.node(item, indent + 2, "item");
    });
  }

  #map(value: { readonly [key: string]: Json | undefined }, indent: number, place: Place): void {
    // A map below a key begins on a line of its own, two deeper.
    const own = place === "value" ? indent + 2 : indent;
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    keys.sort(compareKeys).forEach((key, index) => {
      if (index > 0 || place === "value") this.#put(`\n${" ".repeat(own)}`);
      const simple = Buffer.byteLength(key) <= LONGEST_KEY && !key.includes("\n");
      if (!simple) this.#put("? ");
      this.#scalar(key, own + 2, simple);
      this.#put(simple ? ":" : `\n${" ".repeat(own)}:`);
      this.node(value[key], own, "value");
    });
  }

  #scalar(value: Json | undefined, indent: number, isKey: boolean): void {
    if (typeof value === "string") this.#string(value, indent, isKey);
    else if (typeof value === "number") this.#put(yamlNumber(value));
    else if (Array.isArray(value)) this.#put("[]");
    else this.#put(isObject(value) ? "{}" : String(value ?? null));
  }

  #string(text: string, indent: number, isKey: boolean): void {
    const form = analyze(text);
    if (text.includes("\n")) {
      if (!form.block || isKey) this.#doubleQuoted(text, indent, isKey);
      else this.#literal(text, indent);
    } else if (!isPlainText(text)) this.#doubleQuoted(text, indent, isKey);
    else if (form.plain && !(text === "" && isKey)) this.#folded(text, indent, isKey, "");
    else if (form.single) this.#folded(text, indent, isKey, "'");
    else this.#doubleQuoted(text, indent, isKey);
  }

  /** Plain, or between single quotes; broken at spaces beyond the width. */
  #folded(text: string, indent: number, isKey: boolean, quote: string): void {
    this.#put(quote);
    let afterSpace = false;
    for (let at = 0; at < text.length; at++) {
      const sign = text[at] ?? "";
      const inside = quote === "" || (at > 0 && at < text.length - 1);
      if (sign === " " && !isKey && !afterSpace && inside && this.#column > BEST_WIDTH && text[at + 1] !== " ") {
        this.#put(`\n${" ".repeat(indent)}`);
      } else this.#put(sign === "'" && quote !== "" ? "''" : sign);
      afterSpace = sign === " ";
    }
    this.#put(quote);
  }

  #doubleQuoted(text: string, indent: number, isKey: boolean): void {
    this.#put('"');
    const signs = Array.from(text);
    let afterSpace = false;
    signs.forEach((sign, at) => {
      if (sign === " ") {
        if (!isKey && !afterSpace && this.#column > BEST_WIDTH && at > 0 && at < signs.length - 1) {
          this.#put(`\n${" ".repeat(indent)}`);
          if (signs[at + 1] === " ") this.#put("\\");
        } else this.#put(sign);
      } else
        this.#put(
          sign === '"' || sign === "\\" ? `\\${sign}` : isPrintable(sign) && !isBreak(sign) ? sign : escape(sign),
        );
      afterSpace = sign === " ";
    });
    this.#put('"');
  }

  #literal(text: string, indent: number): void {
    const end = !isBreak(text.at(-1) ?? "") ? "-" : text.length === 1 || isBreak(text.at(-2) ?? "") ? "+" : "";
    this.#put(`|${text.startsWith(" ") || isBreak(text[0] ?? "") ? "2" : ""}${end}`);
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    for (const line of lines) this.#put(line === "" ? "\n" : `\n${" ".repeat(indent)}${line}`);
  }
}

/** Fractions have an exponent from a million on, and below a ten-thousandth; whole numbers as JSON has them. */
function yamlNumber(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || (size >= 1e-4 && size < 1e6)) return numberText(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

const isBreak = (sign: string): boolean => /^[\r\n\u0085\u2028\u2029]$/.test(sign);

const isPrintable = (sign: string): boolean => /^[\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]$/.test(sign);

const NAMED: Readonly<Record<string, string>> = {
  "\0": "\\0",
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\x1b": "\\e",
  "\u0085": "\\N",
  "\u2028": "\\L",
  "\u2029": "\\P",
};

function escape(sign: string): string {
  const named = NAMED[sign];
  if (named !== undefined) return named;
  const code = sign.codePointAt(0) ?? 0;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** Which ways of writing would read back as the same text. */
function analyze(text: string): { readonly plain: boolean; readonly single: boolean; readonly block: boolean } {
  if (text === "") return { plain: true, single: true, block: false };
  let indicator =
    /^(---|\.\.\.)/.test(text) ||
    /^[#,[\]{}&*!|>'"%@`]/.test(text) ||
    /^[?:-]([ \t\r\n\u0085\u2028\u2029]|$)/.test(text);
  indicator ||= /:([ \t\r\n\u0085\u2028\u2029]|$)/.test(text.slice(1)) || /[ \t\r\n\u0085\u2028\u2029]#/.test(text);
  const special = Array.from(text).some((sign) => !isPrintable(sign)) || / [\r\n\u0085\u2028\u2029]/.test(text);
  const breaks = /[\r\n\u0085\u2028\u2029]/.test(text);
  const spaceAfterBreak = /[\r\n\u0085\u2028\u2029] /.test(text);
  const edges = /^[ \r\n\u0085\u2028\u2029]|[ \r\n\u0085\u2028\u2029]$/.test(text);
  return {
    plain: !(indicator || special || breaks || edges),
    single: !(special || spaceAfterBreak),
    block: !(special || text.endsWith(" ")),
  };
}
