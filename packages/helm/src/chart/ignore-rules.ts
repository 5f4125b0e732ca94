import { InvalidArgument } from "@boxship/base/errors";

interface Rule {
  readonly pattern: RegExp;
  readonly negated: boolean;
  readonly onlyFolders: boolean;
  /** Whether it is compared with the whole path; otherwise with the last name in it. */
  readonly whole: boolean;
}

/** Which files of a folder are not the chart's: `.helmignore`. */
export class IgnoreRules {
  readonly #rules: readonly Rule[];

  /** @throws InvalidArgument for `**`, which Helm has not */
  constructor(text: string) {
    this.#rules = [...text.split(/\r?\n/), "templates/.?*"]
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map(ruleOf);
  }

  /** @param path relative, with slashes */
  ignores(path: string, isFolder: boolean): boolean {
    const name = path.slice(path.lastIndexOf("/") + 1);
    for (const { pattern, negated, onlyFolders, whole } of this.#rules) {
      const matches = pattern.test(whole ? path : name);
      if (negated) {
        if (onlyFolders && !isFolder) return true;
        if (!matches) return true;
      } else if (matches && (!onlyFolders || isFolder)) return true;
    }
    return false;
  }
}

function ruleOf(line: string): Rule {
  if (line.includes("**")) throw new InvalidArgument(".helmignore: double-star (**) syntax is not supported");
  const negated = line.startsWith("!");
  let rule = negated ? line.slice(1) : line;
  const onlyFolders = rule.endsWith("/");
  rule = rule.replace(/\/$/, "");
  const whole = rule.includes("/");
  return { pattern: globOf(rule.replace(/^\//, "")), negated, onlyFolders, whole };
}

/** Go's `path.Match`: no sign stands for a slash. */
export function globOf(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|\[(\^?)([^\]]*)\]|[*?.+^${}()|[\]\\]/gs,
    (sign, escaped?: string, not?: string, set?: string) => {
      if (escaped !== undefined) return escaped.replace(/[.*+?^${}()|[\]\\]/, "\\$&");
      if (set !== undefined) return `[${not === "^" ? "^" : ""}${set.replace(/[[\]\\]/g, "\\$&")}]`;
      if (sign === "*") return "[^/]*";
      return sign === "?" ? "[^/]" : `\\${sign}`;
    },
  );
  return new RegExp(`^${source}$`, "su");
}
