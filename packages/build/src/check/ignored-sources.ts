import { IgnoreRules } from "../files/ignore.ts";

/** Which paths the ignore file of a context leaves out for certain. */
export class IgnoredSources {
  readonly #rules: IgnoreRules | undefined;
  readonly #ignoresAll: boolean;

  /** @param patterns with exceptions among them nothing is certain */
  constructor(patterns: readonly string[]) {
    const hasExceptions = patterns.some((pattern) => pattern.startsWith("!"));
    this.#rules = patterns.length === 0 || hasExceptions ? undefined : new IgnoreRules(patterns);
    this.#ignoresAll = patterns.some((pattern) => ["*", "**", "**/*"].includes(pattern));
  }

  has(path: string): boolean {
    if (this.#rules === undefined) return false;
    return path === "." || path === "/" ? this.#ignoresAll : this.#rules.ignores(path);
  }
}
