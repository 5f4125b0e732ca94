import { Failure } from "../failure.ts";

/** Splits a line into words as a shell does: blanks, quotes, backslashes; nothing is replaced. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at++) {
    const letter = line.charAt(at);
    if (quote === "" && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === "" && (letter === "'" || letter === '"')) {
      quote = letter;
      word ??= "";
    } else if (letter === quote) quote = "";
    else if (letter === "\\" && quote !== "'") word = (word ?? "") + line.charAt(++at);
    else word = (word ?? "") + letter;
  }
  if (quote !== "") throw new Failure(`a quote is not closed in ${JSON.stringify(line)}`);
  if (word !== undefined) words.push(word);
  return words;
}
