import { InvalidArgument } from "@boxship/base/errors";
import { type Dict, getKey, int64, isDict, putKey } from "../functions/go-values.ts";

/** What texts behind `=` become. */
export type ValueReader = (text: string) => unknown;

const MOST_INDEX = 65_536;
const DEEPEST = 30;

/** `true`, `null` and integers are what they look like; all else is text. */
export function typedValue(text: string): unknown {
  if (/^true$/i.test(text)) return true;
  if (/^false$/i.test(text)) return false;
  if (/^null$/i.test(text)) return null;
  // A leading zero makes a text: it stands in versions, modes and telephone numbers.
  if (/^[+-]?(0|[1-9]\d*)$/.test(text)) {
    const value = BigInt(text.replace(/^\+/, ""));
    if (BigInt.asIntN(64, value) === value) return int64(value);
  }
  return text;
}

/**
 * Sets values by words such as `a.b=1,c[0].d=x,e={1,2}`; a backslash takes a sign's meaning.
 *
 * @throws InvalidArgument in Helm's words
 */
export function setValues(target: Dict, words: string, read: ValueReader): void {
  new SetParser(words, read).run(target);
}

/** `--set-literal`: one path, and all behind the first `=` is text. */
export function setLiteral(target: Dict, words: string): void {
  const at = words.indexOf("=");
  if (at < 0) throw new InvalidArgument(`failed parsing --set-literal data: key ${JSON.stringify(words)} has no value`);
  new SetParser(words.slice(0, at + 1), () => words.slice(at + 1)).run(target);
}

class SetParser {
  readonly #signs: readonly string[];
  readonly #read: ValueReader;
  readonly #text: string;
  #at = 0;

  constructor(text: string, read: ValueReader) {
    this.#text = text;
    this.#signs = Array.from(text);
    this.#read = read;
  }

  run(target: Dict): void {
    while (this.#at < this.#signs.length) this.#key(target, 0);
  }

  #fail(problem: string): never {
    throw new InvalidArgument(`failed parsing --set data ${JSON.stringify(this.#text)}: ${problem}`);
  }

  /** Up to one of the stops. */
  #until(stops: string): { readonly text: string; readonly stop: string | undefined } {
    let text = "";
    while (this.#at < this.#signs.length) {
      const sign = this.#signs[this.#at++] ?? "";
      if (sign === "\\") text += this.#signs[this.#at++] ?? "";
      else if (stops.includes(sign)) return { text, stop: sign };
      else text += sign;
    }
    return { text, stop: undefined };
  }

  #key(target: Dict, depth: number): void {
    if (depth > DEEPEST)
      this.#fail(`value name nested level is greater than maximum supported nested level of ${DEEPEST}`);
    const { text: key, stop } = this.#until("=[,.");
    if (stop === undefined || stop === ",") {
      if (key === "" && stop === undefined) return;
      this.#fail(`key ${JSON.stringify(key)} has no value${stop === "," ? " (cannot end with ,)" : ""}`);
    }
    if (key === "" && stop !== "[") this.#fail("key map is empty");
    if (stop === "=") putKey(target, key, this.#value());
    else if (stop === ".") {
      const there = getKey(target, key);
      const below = isDict(there) ? there : {};
      putKey(target, key, below);
      this.#key(below, depth + 1);
    } else {
      const there = getKey(target, key);
      const list = Array.isArray(there) ? [...(there as readonly unknown[])] : [];
      this.#item(list, depth + 1);
      putKey(target, key, list);
    }
  }

  /** Behind a `[`. */
  #item(list: unknown[], depth: number): void {
    const { text, stop } = this.#until("]");
    if (stop === undefined || !/^\d+$/.test(text))
      this.#fail(`error parsing index: ${JSON.stringify(text)} is no number`);
    const index = Number(text);
    if (index > MOST_INDEX) this.#fail(`index of ${index} is greater than maximum supported index of ${MOST_INDEX}`);
    while (list.length <= index) list.push(null);
    const next = this.#signs[this.#at++];
    if (next === "=") list[index] = this.#value();
    else if (next === ".") {
      const below = isDict(list[index]) ? list[index] : {};
      list[index] = below;
      this.#key(below, depth + 1);
    } else if (next === "[") {
      const below = Array.isArray(list[index]) ? [...(list[index] as unknown[])] : [];
      list[index] = below;
      this.#item(below, depth + 1);
    } else this.#fail(`unexpected data at end of array index ${index}`);
  }

  #value(): unknown {
    if (this.#signs[this.#at] !== "{") return this.#read(this.#until(",").text);
    this.#at++;
    const list: unknown[] = [];
    for (;;) {
      const { text, stop } = this.#until(",}");
      if (stop === undefined) this.#fail("list must terminate with '}'");
      if (stop === "," || text !== "" || list.length > 0) list.push(this.#read(text));
      if (stop === "}") break;
    }
    if (this.#signs[this.#at] === ",") this.#at++;
    return list;
  }
}
