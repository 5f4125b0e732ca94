import { type Place, refuse } from "./source.ts";

/** What the comments at the very top of a file say about how to read it. */
export interface Directives {
  /** @default "\\" */
  readonly escape: "\\" | "`";
  /** The frontend that the file asks for; only reported. */
  readonly syntax?: string;
  /** Settings of the checks. */
  readonly check?: string;
  /** How many lines they are. @default 0 */
  readonly lines?: number;
}

const DIRECTIVE = /^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$/;
const KNOWN = new Set(["escape", "syntax", "check"]);

/**
 * Reads `# escape=`, `# syntax=` and `# check=`. They end with the first line that is not one of them: what follows is
 * an ordinary comment.
 */
export function readDirectives(file: string, lines: readonly string[]): Directives {
  const found = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const match = DIRECTIVE.exec(line.trim());
    const key = match?.[1]?.toLowerCase() ?? "";
    if (match === null || !KNOWN.has(key)) break;
    const place: Place = { file, lines: [index + 1, index + 1] };
    if (found.has(key)) {
      refuse(place, `only one ${key} parser directive can be used`, `remove this second "# ${key}=" line`);
    }
    const value = match[2] ?? "";
    if (key === "escape" && value !== "\\" && value !== "`") {
      refuse(place, `invalid escape token '${value}' does not match \` or \\`, "write # escape=\\ or # escape=`");
    }
    found.set(key, value);
  }
  const [syntax, check] = [found.get("syntax"), found.get("check")];
  return {
    escape: found.get("escape") === "`" ? "`" : "\\",
    lines: found.size,
    ...(syntax === undefined ? {} : { syntax }),
    ...(check === undefined ? {} : { check }),
  };
}
