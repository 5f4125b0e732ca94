import type { Action } from "./contract.ts";
import { repositoryPattern } from "./patterns.ts";

/** Who may do what where. A request is allowed when one rule allows it. */
export interface Rule {
  /** Names of users; `*`: every user who is known; `anonymous`: everybody, also who gives no name. @default ["*"] */
  readonly users?: readonly string[];
  /** Names of groups. */
  readonly groups?: readonly string[];
  /** Repositories; `*` stands for anything within one component, `**` for anything. @default ["**"] */
  readonly repositories?: readonly string[];
  /** `push` and `delete` without `pull` are possible, but no client can work with them. */
  readonly actions: readonly Action[];
}

/** Name of a user who gave none. */
export const ANONYMOUS = "anonymous";

/** @param groups of each user @throws InvalidArgument for a pattern that can match nothing */
export function compileRules(rules: readonly Rule[], groups: Readonly<Record<string, readonly string[]>> = {}) {
  const compiled = rules.map((rule) => ({
    users: new Set(rule.users ?? (rule.groups === undefined ? ["*"] : [])),
    groups: rule.groups ?? [],
    repositories: (rule.repositories ?? ["**"]).map(repositoryPattern),
    actions: new Set(rule.actions),
  }));
  const includes = (rule: (typeof compiled)[number], user: string): boolean =>
    rule.users.has(user) ||
    // Whoever is known could leave the name away.
    rule.users.has(ANONYMOUS) ||
    (rule.users.has("*") && user !== ANONYMOUS) ||
    rule.groups.some((group) => groups[group]?.includes(user) === true);

  /** The registry itself (its version and its catalogue) is open to whoever may do anything anywhere. */
  return (user: string, action: Action, repository: string): boolean =>
    compiled.some(
      (rule) =>
        includes(rule, user) &&
        (repository === "" ||
          (rule.actions.has(action) && rule.repositories.some((pattern) => pattern.test(repository)))),
    );
}
