import { isPrintable } from "./quote.ts";

const HTML: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

/** Text as it stands in HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[\0"'&<>]/g, (character) => HTML[character] ?? character);
}

function hexUnit(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Text as it stands inside a JavaScript string. */
export function escapeJs(text: string): string {
  return text.replaceAll(/[\\'"<>&=\p{Cc}]|\P{ASCII}/gu, (character) => {
    if (character === "\\" || character === "'" || character === '"') return `\\${character}`;
    // DEL is a control character too, but Go leaves it alone.
    if (character === "\u007f" || (character > "\u007f" && isPrintable(character))) return character;
    return hexUnit(character);
  });
}

/** Text as it stands in the query of a URL. */
export function escapeUrlQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
