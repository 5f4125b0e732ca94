/** `snakecase`, `kebabcase` and `camelcase`: words are runs of one class of characters. */

type Class = "end" | "number" | "upper" | "alphabet" | "connector" | "punctuation" | "other";

interface Word {
  readonly class: Class;
  readonly text: string;
}

const isConnector = (sign: string): boolean => /[-_\s\u0085]/.test(sign);
const isUpper = (sign: string): boolean => /\p{Lu}/u.test(sign);
const isLetter = (sign: string): boolean => /\p{L}/u.test(sign) && !/[\p{Lo}\p{Lm}]/u.test(sign);
const isNumber = (sign: string): boolean => /\p{N}/u.test(sign);
const isPunctuation = (sign: string): boolean => /\p{P}/u.test(sign);

function classOf(sign: string): Class {
  if (isConnector(sign)) return "connector";
  if (isPunctuation(sign)) return "punctuation";
  if (isUpper(sign)) return "upper";
  if (isLetter(sign)) return "alphabet";
  return isNumber(sign) ? "number" : "other";
}

function runEnd(signs: readonly string[], from: number, goesOn: (sign: string) => boolean): number {
  let end = from;
  while (end < signs.length && goesOn(signs[end] ?? "")) end++;
  return end;
}

/** Where a word that starts with a capital ends: `HTTPServer` is `HTTP` and `Server`. */
function upperEnd(signs: readonly string[], start: number): number {
  const second = signs[start + 1];
  if (second === undefined) return start + 1;
  if (isUpper(second)) {
    const end = runEnd(signs, start + 2, isUpper);
    return end < signs.length && isLetter(signs[end] ?? "") ? end - 1 : end;
  }
  return isLetter(second) ? runEnd(signs, start + 2, (sign) => isLetter(sign) && !isUpper(sign)) : start + 1;
}

function splitWords(value: string): readonly Word[] {
  const signs = Array.from(value);
  const words: Word[] = [];
  let at = 0;
  while (at < signs.length) {
    const kind = classOf(signs[at] ?? "");
    const start = at;
    if (kind === "upper") at = upperEnd(signs, at);
    else if (kind === "alphabet") at = runEnd(signs, at + 1, (sign) => isLetter(sign) && !isUpper(sign));
    else if (kind === "other") at = runEnd(signs, at + 1, (sign) => classOf(sign) === "other");
    else at = runEnd(signs, at + 1, (sign) => classOf(sign) === kind);
    words.push({ class: kind, text: signs.slice(start, at).join("") });
  }
  return words;
}

/** Words in lower case with a connector between them. */
export function delimitedCase(value: string, connector: string): string {
  const words = splitWords(value);
  const out: string[] = [];
  let at = 0;
  const next = (): Word => words[at++] ?? { class: "end", text: "" };
  const put = ({ class: kind, text }: Word): void => {
    if (kind === "connector") out.push(connector.repeat(Array.from(text).length));
    else out.push(kind === "upper" ? text.toLowerCase() : text);
  };
  const joins = (kind: Class): boolean => kind !== "connector" && kind !== "punctuation";
  let word = next();
  while (at < words.length) {
    if (word.class !== "connector") put(word);
    const before = word;
    word = next();
    if (before.class === "connector") put(before);
    else if (before.class === "number") {
      while (word.class === "alphabet" || word.class === "number") {
        put(word);
        word = next();
      }
      if (word.class !== "end" && joins(word.class)) out.push(connector);
    } else if (before.class !== "punctuation") word = afterWord(word);
  }
  put(word);
  return out.join("");

  /** A number belongs to the letters that follow it. */
  function afterWord(found: Word): Word {
    if (found.class !== "number") {
      if (joins(found.class)) out.push(connector);
      return found;
    }
    if (at >= words.length) return found;
    let following = next();
    if (following.class !== "alphabet") {
      put(found);
      if (joins(following.class)) out.push(connector);
      return following;
    }
    out.push(connector);
    put(found);
    while (following.class === "alphabet" || following.class === "number") {
      put(following);
      following = next();
    }
    if (following.class !== "end" && joins(following.class)) out.push(connector);
    return following;
  }
}

/** Connectors go, and the letters behind them are capitals; connectors at the edges stay. */
export function camelCase(value: string): string {
  const signs = Array.from(value);
  let at = 0;
  let out = "";
  while (at < signs.length && isConnector(signs[at] ?? "")) out += signs[at++];
  if (at === signs.length) return out;
  let current = (signs[at++] ?? "").toUpperCase();
  for (; at < signs.length; at++) {
    const before = current;
    current = signs[at] ?? "";
    if (isConnector(before)) {
      if (isConnector(current)) out += before;
      else current = current.toUpperCase();
    } else {
      current = current.toLowerCase();
      out += before;
    }
  }
  return out + current;
}
