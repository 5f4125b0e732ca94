import { InvalidArgument } from "@boxship/base";
import { load } from "js-yaml";
import type { Action } from "./contract.ts";
import type { Rule } from "./rules.ts";

/** What a file of rules says. */
export interface AccessFile {
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly rules: readonly Rule[];
}

const ACTIONS: readonly Action[] = ["pull", "push", "delete"];

/**
 * Reads a YAML file of groups and rules:
 *
 *     groups:
 *       developers: [ann, bob]
 *     rules:
 *       - { groups: [developers], repositories: ["team/**"], actions: [pull, push] }
 *       - { users: [anonymous], repositories: ["public/*"], actions: [pull] }
 *
 * @throws InvalidArgument naming the file and the place
 */
export function parseAccessFile(source: string, file: string): AccessFile {
  const fail = (at: string, expected: string): never => {
    throw new InvalidArgument(`${file}: ${at} must be ${expected}`, { subject: { kind: "file", name: file } });
  };
  let parsed: unknown;
  try {
    // A file of comments alone is no document, and no mistake.
    parsed = source.replace(/^\s*(#.*)?$/gm, "").trim() === "" ? {} : (load(source) ?? {});
  } catch (error) {
    throw new InvalidArgument(`${file} is not valid YAML`, { cause: error });
  }
  const fields = (value: unknown, at: string, known: readonly string[]): Readonly<Record<string, unknown>> => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(at, "a map");
    for (const key of Object.keys(value)) {
      if (known.length > 0 && !known.includes(key)) fail(`${at}.${key}`, `one of ${known.join(", ")}`);
    }
    return value as Record<string, unknown>;
  };
  const texts = (value: unknown, at: string): readonly string[] => {
    if (!Array.isArray(value) || value.some((each) => typeof each !== "string")) return fail(at, "a list of texts");
    return value as readonly string[];
  };
  const { groups = {}, rules = [] } = fields(parsed, "the file", ["groups", "rules"]);
  if (!Array.isArray(rules)) return fail("rules", "a list");
  return {
    groups: Object.fromEntries(
      Object.entries(fields(groups, "groups", [])).map(([name, users]) => [name, texts(users, `groups.${name}`)]),
    ),
    rules: rules.map((rule: unknown, index): Rule => {
      const at = `rules[${index}]`;
      const given = fields(rule, at, ["users", "groups", "repositories", "actions"]);
      const actions = texts(given["actions"], `${at}.actions`);
      if (!actions.every((action) => (ACTIONS as readonly string[]).includes(action))) {
        fail(`${at}.actions`, `of ${ACTIONS.join(", ")}`);
      }
      const list = (name: "users" | "groups" | "repositories") =>
        given[name] === undefined ? {} : { [name]: texts(given[name], `${at}.${name}`) };
      return { ...list("users"), ...list("groups"), ...list("repositories"), actions: actions as Action[] };
    }),
  };
}
