/** JSON with a line for each value, which is otherwise as it was written: order, digits, what is escaped, the text's end. */
export function indented(text: string): string {
  let [result, depth] = ["", 0];
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+|\s+$/g)) {
    if (token === "{" || token === "[") {
      depth++;
      result += token + line();
    } else if (token === "}" || token === "]") {
      depth--;
      // Of what is empty nothing stands on lines of its own.
      result = /[{[]\s*$/.test(result) ? result.trimEnd() + token : result + line() + token;
    } else if (token === ",") result += token + line();
    else result += token === ":" ? ": " : token;
  }
  return result;
}
