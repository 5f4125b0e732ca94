import type { Place } from "../language/index.ts";
import { type CheckOptions, withComments } from "./check-options.ts";
import { RULES, type Rule, type RuleName } from "./rules.ts";

/** What a rule says of a place in a file. */
export interface Finding {
  readonly rule: RuleName;
  readonly message: string;
  readonly place: Place;
}

/** Nobody reads more, and clients take messages of a bounded size. */
const MOST = 5000;

/** What rules have found, in the order in which they did. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  /** @param comments above the instruction, which may switch rules off */
  add(rule: RuleName, place: Place, message: string, comments?: readonly string[]): void {
    if (this.all.length < MOST && isApplied(rule, withComments(this.#options, comments)))
      this.all.push({ rule, message, place });
  }
}

function isApplied(name: RuleName, { skip, experimental }: CheckOptions): boolean {
  const rule: Rule = RULES[name];
  if (rule.experimental === true) return experimental === "all" || experimental.has(name);
  return skip !== "all" && !skip.has(name);
}
