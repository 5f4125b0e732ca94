import { intType, stringSliceType, stringType, type TemplateFunction, typed, type Value } from "@boxship/template";
import { RE2JS } from "re2js";
import { boundItems, boundText, define } from "./go-values.ts";

/** Compiled expressions that are kept; a chart uses the same few over and over. */
const MOST_EXPRESSIONS = 500;
/** Longer expressions take too long to compile. */
const LONGEST_EXPRESSION = 10_000;
const expressions = new Map<string, RE2JS>();

/** Go's regular expressions: matching takes time in proportion to the text. */
function compile(pattern: string): RE2JS {
  const known = expressions.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > LONGEST_EXPRESSION) {
    throw new Error(`regular expression is longer than ${LONGEST_EXPRESSION} characters`);
  }
  const compiled = parsed(pattern);
  if (expressions.size >= MOST_EXPRESSIONS) expressions.clear();
  expressions.set(pattern, compiled);
  return compiled;
}

function parsed(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** One that tells its pattern as text. @throws Error in Go's words for what is none, or too long */
export function compileExpression(pattern: string): { test(text: string): boolean; toString(): string } {
  const expression = compile(pattern);
  return { test: (text) => expression.matcher(text).find(), toString: () => pattern };
}

interface Match {
  readonly start: number;
  readonly end: number;
  /** Undefined for groups that took no part; the first is the whole match. */
  readonly groups: readonly (string | undefined)[];
}

/** Matches from the left; an empty one right behind another is none. */
function* matches(expression: RE2JS, text: string): Generator<Match> {
  const matcher = expression.matcher(text);
  let from = 0;
  let before = -1;
  while (from <= text.length && matcher.find(from)) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (end > start || start !== before) {
      const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, at) => matcher.group(at) ?? undefined);
      yield { start, end, groups };
      before = end;
    }
    // Behind an empty match the search goes on at the next character.
    from = end > start ? end : end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
  }
}

function findAll(pattern: string, text: string, count: bigint): Value {
  const found: string[] = [];
  const most = count < 0n ? Number.POSITIVE_INFINITY : Number(count);
  const expression = compile(pattern);
  if (most === 0) return typed(stringSliceType, null);
  for (const match of matches(expression, text)) {
    found.push(match.groups[0] ?? "");
    if (found.length >= most) break;
  }
  boundItems(found.length);
  return typed(stringSliceType, found);
}

function find(pattern: string, text: string): string {
  const matcher = compile(pattern).matcher(text);
  return matcher.find() ? (matcher.group() ?? "") : "";
}

/** `$1`, `${1}`, `$name` with the longest name that there can be, `$$`. */
function expand(template: string, { groups }: Match, names: Readonly<Record<string, number>>): string {
  return template.replace(
    /\$(\$|\{(\w+)\}|(\w+))?/g,
    (whole, after: string | undefined, braced?: string, bare?: string) => {
      if (after === "$") return "$";
      const name = braced ?? bare;
      if (name === undefined) return whole;
      const index = /^\d+$/.test(name) ? Number(name) : Object.hasOwn(names, name) ? names[name] : undefined;
      return index === undefined ? "" : (groups[index] ?? "");
    },
  );
}

function replace(pattern: string, text: string, by: (match: Match, names: Readonly<Record<string, number>>) => string) {
  const expression = compile(pattern);
  const names = expression.namedGroups();
  const parts: string[] = [];
  let at = 0;
  let length = 0;
  for (const match of matches(expression, text)) {
    const fresh = by(match, names);
    parts.push(text.slice(at, match.start), fresh);
    at = match.end;
    boundText((length += fresh.length + match.end - match.start));
  }
  parts.push(text.slice(at));
  return parts.join("");
}

/** Go's `Regexp.Split`: leading empty matches split nothing. */
function split(pattern: string, text: string, count: bigint): Value {
  const expression = compile(pattern);
  if (count === 0n) return typed(stringSliceType, null);
  if (pattern !== "" && text === "") return typed(stringSliceType, [""]);
  const most = count < 0n ? Number.POSITIVE_INFINITY : Number(count);
  const parts: string[] = [];
  let begin = 0;
  let end = 0;
  for (const match of matches(expression, text)) {
    if (parts.length >= most - 1) break;
    end = match.start;
    if (match.end !== 0) parts.push(text.slice(begin, end));
    begin = match.end;
  }
  if (end !== text.length) parts.push(text.slice(begin));
  boundItems(parts.length);
  return typed(stringSliceType, parts);
}

const two = [stringType, stringType];
const three = [stringType, stringType, stringType];
const counted = [stringType, stringType, intType];

const match = (pattern: string, text: string): boolean => compile(pattern).matcher(text).find();
const findAllOf = define(counted, findAll);
const findOf = define(two, find);
const splitOf = define(counted, split);
const replaceAll = define(three, (pattern: string, text: string, by: string) =>
  replace(pattern, text, (found, names) => expand(by, found, names)),
);
const replaceLiterally = define(three, (pattern: string, text: string, by: string) => replace(pattern, text, () => by));

function lenientMatch(pattern: string, text: string): boolean {
  try {
    return match(pattern, text);
  } catch {
    // Sprig says no where an expression is wrong; `mustRegexMatch` says why.
    return false;
  }
}

/** Sprig's functions of regular expressions. */
export const regexFunctions: Readonly<Record<string, TemplateFunction>> = {
  regexMatch: define(two, lenientMatch),
  mustRegexMatch: define(two, match),
  regexFindAll: findAllOf,
  mustRegexFindAll: findAllOf,
  regexFind: findOf,
  mustRegexFind: findOf,
  regexReplaceAll: replaceAll,
  mustRegexReplaceAll: replaceAll,
  regexReplaceAllLiteral: replaceLiterally,
  mustRegexReplaceAllLiteral: replaceLiterally,
  regexSplit: splitOf,
  mustRegexSplit: splitOf,
  regexQuoteMeta: define([stringType], (text: string) => text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&")),
};
