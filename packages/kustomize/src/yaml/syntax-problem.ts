/** The usual reader's reasons, and what the original's reader says of the same texts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^tab characters must not be used in indentation/, "found character that cannot start any token"],
  [/^unexpected end of the stream within a (single|double) quoted scalar/, "found unexpected end of stream"],
];

/** `yaml: line N: …` for a text that is no YAML. @param mark where the usual reader gave up, from 0 */
export function syntaxProblem(text: string, message: string, mark?: { line: number; column: number }): string {
  const reason = (message.split("\n")[0] ?? "").replace(/ \(\d+:\d+\)$/, "");
  const line = mark?.line ?? 0;
  const here = text.split("\n")[line] ?? "";
  const known = REASONS.find(([pattern]) => pattern.test(reason))?.[1];
  if (known !== undefined) return `yaml: line ${line + 1}: ${known}`;
  if (reason.startsWith("bad indentation of a mapping entry")) {
    const sign = here.slice(mark?.column ?? 0)[0] ?? "";
    if (sign === "@" || sign === "`" || sign === "%") {
      return `yaml: line ${line + 1}: found character that cannot start any token`;
    }
    return `yaml: line ${line + 1}: mapping values are not allowed in this context`;
  }
  if (/^(unexpected end of the stream within a flow collection|deficient indentation)/.test(reason))
    return flowEnd(text, line);
  if (reason.startsWith("end of the stream or a document separator is expected")) {
    const key = /^- /m.test(text) && /^[\w"']+\s*:/.test(here) ? "did not find expected '-' indicator" : undefined;
    return `yaml: line ${line + (key === undefined ? 1 : 0)}: ${key ?? "could not find expected ':'"}`;
  }
  return `yaml: line ${line + 1}: ${reason}`;
}

function flowEnd(text: string, line: number): string {
  const open = Math.max(text.lastIndexOf("["), text.lastIndexOf("{"));
  const close = text[open] === "[" ? "]" : "}";
  const lines = text.endsWith("\n") ? line : line + 1;
  return `yaml: line ${Math.max(1, lines)}: did not find expected ',' or '${close}'`;
}
