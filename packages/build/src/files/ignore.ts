import { globSource } from "./pattern.ts";

interface Rule {
  readonly expression: RegExp;
  /** `!pattern`: what it matches is let in again. */
  readonly exception: boolean;
  /** The pattern's directories, for asking whether anything below a directory can be let in. */
  readonly text: string;
}

/** What is known about a directory, for its members. Opaque. */
export type ParentMatch = readonly boolean[];

/**
 * The rules of an ignore file (`.dockerignore`): a path is left out when the last rule that matches it, or a directory
 * above it, says so. Paths are relative to the context, without a leading slash.
 */
export class IgnoreRules {
  readonly #rules: readonly Rule[];
  readonly #exceptions: boolean;

  /** @param patterns one line each, as {@link readIgnoreFile} gives them. @throws InvalidArgument for a malformed one */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns.flatMap((pattern) => {
      const exception = pattern.startsWith("!");
      const text = cleaned(exception ? pattern.slice(1) : pattern);
      if (text === "" || text === ".") return [];
      return [{ expression: new RegExp(`^${globSource(text, true)}$`, "su"), exception, text }];
    });
    this.#exceptions = this.#rules.some(({ exception }) => exception);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** @param parent what this said of the directory above; absent for members of the root */
  match(path: string, parent?: ParentMatch): { readonly ignored: boolean; readonly matches: ParentMatch } {
    let ignored = false;
    const matches = this.#rules.map(({ expression, exception }, index) => {
      const matched = parent?.[index] === true || expression.test(path);
      if (matched) ignored = !exception;
      return matched;
    });
    return { ignored, matches };
  }

  /** As {@link match}, for a path alone. */
  ignores(path: string): boolean {
    let parent: ParentMatch | undefined;
    let ignored = false;
    const parts = path.split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const found = this.match(parts.slice(0, depth).join("/"), parent);
      parent = found.matches;
      ignored = found.ignored;
    }
    return ignored;
  }

  /** Whether nothing below an ignored directory can be let in by an exception. */
  hidesAllBelow(directory: string): boolean {
    if (!this.#exceptions) return true;
    return !this.#rules.some(({ exception, text }) => exception && mayMatchBelow(text, directory));
  }
}

/** Compares what of the pattern comes before its first wildcard with the directory's path. */
function mayMatchBelow(pattern: string, directory: string): boolean {
  const fixed = /^[^*?[\\]*/.exec(pattern)?.[0] ?? "";
  if (fixed === pattern) return pattern.startsWith(`${directory}/`);
  const prefix = fixed.slice(0, fixed.lastIndexOf("/") + 1);
  return `${directory}/`.startsWith(prefix) || prefix.startsWith(`${directory}/`);
}

function cleaned(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** The patterns of an ignore file: comments and blank lines are left out. */
export function readIgnoreFile(bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes)
    .toString("utf8")
    .replace(/^\uFEFF/, "");
  return text.split("\n").flatMap((raw) => {
    if (raw.startsWith("#")) return [];
    const line = raw.trim();
    if (line === "" || line === "!") return [];
    return [line.startsWith("!") ? `!${line.slice(1).trim()}` : line];
  });
}
