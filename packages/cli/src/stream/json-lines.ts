import type { Readable } from "node:stream";

/** Values of a stream of JSON texts that stand one after another. */
export async function* jsonValues(input: Readable): AsyncGenerator<unknown, void, undefined> {
  for await (const text of jsonTexts(input)) yield JSON.parse(text);
}

/** The texts of a stream's objects and arrays, with or without white space between them. */
export async function* jsonTexts(input: Readable): AsyncGenerator<string, void, undefined> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of input) {
    text += decoder.decode(chunk as Buffer, { stream: true });
    let end = valueEnd(text);
    while (end > 0) {
      yield text.slice(0, end);
      text = text.slice(end);
      end = valueEnd(text);
    }
  }
  if (text.trim() !== "") yield text;
}

/** Where the first complete object or array of a text ends; 0 when none is complete. */
function valueEnd(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at++;
      else if (character === '"') quoted = false;
      continue;
    }
    if (character === '"') quoted = true;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return 0;
}
