import { InvalidArgument } from "@boxship/base/errors";

/**
 * Go's `filepath.Match` as a regular expression: `*` and `?` do not match slashes, `[a-z]` and `[^a-z]`, `\x`.
 *
 * @param doubleStar also take `**` as any number of directories, as ignore files do
 * @throws InvalidArgument for an open bracket, or an escape at the end
 */
export function globSource(pattern: string, doubleStar = false): string {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === "*" && doubleStar && pattern[at + 1] === "*") {
      const [piece, next] = doubleStarAt(pattern, at);
      source += piece;
      at = next;
    } else if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const [piece, next] = classAt(pattern, at);
      source += piece;
      at = next;
    } else if (character === "\\") {
      at++;
      if (at === pattern.length) throw malformed(pattern);
      source += RegExp.escape(pattern.charAt(at));
    } else source += RegExp.escape(character);
  }
  return source;
}

/** Whether a path has a part that is a pattern. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\./g, ""));
}

/** A path whose escapes are taken away. */
export function literalOf(path: string): string {
  return path.replace(/\\(.)/g, "$1");
}

function malformed(pattern: string): InvalidArgument {
  return new InvalidArgument(`syntax error in pattern ${JSON.stringify(pattern)}`, {
    remedy: "close the bracket, or write a backslash before it",
  });
}

function doubleStarAt(pattern: string, at: number): readonly [string, number] {
  let next = at + 1;
  while (pattern[next + 1] === "*") next++;
  if (pattern[next + 1] === "/") return ["(?:.*/)?", next + 1];
  return [".*", next];
}

function classAt(pattern: string, at: number): readonly [string, number] {
  const close = pattern.indexOf("]", at + 2);
  if (close === -1) throw malformed(pattern);
  const inner = pattern.slice(at + 1, close);
  const negated = inner.startsWith("^") || inner.startsWith("!");
  const ranges = (negated ? inner.slice(1) : inner).replace(/\\(.)/g, "$1").replace(/[\\\]^[&~|]/g, "\\$&");
  if (!isClass(ranges)) throw malformed(pattern);
  return [`(?!/)[${negated ? "^" : ""}${ranges}]`, close];
}

/** Ranges must not run backwards. */
function isClass(ranges: string): boolean {
  try {
    return new RegExp(`[${ranges}]`, "u").source !== "";
  } catch {
    return false;
  }
}
