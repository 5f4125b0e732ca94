import { InvalidArgument } from "@boxship/base";
import type { Filter, Node, Step } from "./nodes.ts";

/** @throws InvalidArgument with the whole text in it */
export function parseTemplate(text: string): readonly Node[] {
  const fail = (why: string): never => {
    throw new InvalidArgument(`error parsing jsonpath ${text}, ${why}`);
  };
  const stack: { readonly steps: readonly Step[]; readonly body: Node[] }[] = [{ steps: [], body: [] }];
  const top = () => stack.at(-1) ?? fail("not in range, nothing to end");
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf("{", at);
    const before = open < 0 ? text.slice(at) : text.slice(at, open);
    if (before !== "") top().body.push({ kind: "text", text: before });
    if (open < 0) break;
    const close = closing(text, open + 1);
    if (close < 0) fail(unterminated(text.slice(open + 1)));
    const action = text.slice(open + 1, close).trim();
    at = close + 1;
    if (action === "end") {
      const done = stack.length > 1 ? stack.pop() : fail("not in range, nothing to end");
      if (done !== undefined) top().body.push({ kind: "range", ...done });
    } else if (/^range\b/.test(action)) {
      stack.push({ steps: parsePath(action.slice(5).trim(), fail), body: [] });
    } else for (const steps of parseAction(action, fail)) top().body.push({ kind: "path", steps });
  }
  if (stack.length > 1) fail("unclosed action");
  return stack[0]?.body ?? [];
}

function unterminated(rest: string): string {
  if ((rest.match(/\[/g) ?? []).length > (rest.match(/\]/g) ?? []).length) return "unterminated array";
  return "unclosed action";
}

/** The end of an action, quotes and brackets over. */
function closing(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"' || sign === "'") {
      at = endOfQuote(text, at);
      if (at < 0) return -1;
    } else if (sign === "}") return at;
  }
  return -1;
}

function endOfQuote(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === text[from]) return at;
  }
  return -1;
}

type Fail = (why: string) => never;

function parseAction(action: string, fail: Fail): readonly (readonly Step[])[] {
  if (action === "") return [];
  return [parsePath(action, fail)];
}

const BARE = /^[A-Za-z_][\w-]*/;

function parsePath(text: string, fail: Fail): readonly Step[] {
  const steps: Step[] = [];
  let rest = text;
  while (rest !== "") {
    const before = rest;
    rest = takeStep(rest, steps, fail).replace(/^\s+/, "");
    if (rest === before)
      fail(
        `unrecognized character in action: U+${(rest.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")} '${rest[0]}'`,
      );
  }
  return steps;
}

function takeStep(rest: string, steps: Step[], fail: Fail): string {
  const sign = rest[0] ?? "";
  if (sign === '"' || sign === "'") {
    const end = endOfQuote(rest, 0);
    if (end < 0) fail("unterminated quoted string");
    steps.push({ kind: "literal", value: unquote(rest.slice(0, end + 1)) });
    return rest.slice(end + 1);
  }
  if (sign === "$") {
    steps.push({ kind: "root" });
    return rest.slice(1);
  }
  if (sign === "@") {
    steps.push({ kind: "current" });
    return rest.slice(1);
  }
  if (sign === "*") {
    steps.push({ kind: "wildcard" });
    return rest.slice(1);
  }
  if (sign === "[") {
    const end = endOfBracket(rest);
    if (end < 0) fail("unterminated array");
    steps.push(parseBracket(rest.slice(1, end), fail));
    return rest.slice(end + 1);
  }
  if (rest.startsWith("..")) {
    steps.push({ kind: "recursive" });
    return takeField(rest.slice(2), steps);
  }
  if (sign === ".") return takeField(rest.slice(1), steps);
  const number = /^[+-]?\d+(\.\d+)?/.exec(rest)?.[0];
  if (number !== undefined) {
    steps.push({ kind: "literal", value: Number(number) });
    return rest.slice(number.length);
  }
  const word = BARE.exec(rest)?.[0];
  if (word === "true" || word === "false") {
    steps.push({ kind: "literal", value: word === "true" });
    return rest.slice(word.length);
  }
  return word === undefined ? rest : fail(`unrecognized identifier ${word}`);
}

/** A name up to what ends it; a backslash takes the next sign as it is. */
function takeField(rest: string, steps: Step[]): string {
  if (rest.startsWith("*")) {
    steps.push({ kind: "wildcard" });
    return rest.slice(1);
  }
  const name =
    /^(?:\\.|[^\s.[\]{}()"'|$@=!<>,+:;/*?\\])*(?:\/(?:\\.|[^\s.[\]{}()"'|$@=!<>,+:;*?\\])*)*/.exec(rest)?.[0] ?? "";
  if (name !== "") steps.push({ kind: "field", name: name.replace(/\\(.)/g, "$1") });
  return rest.slice(name.length);
}

function endOfBracket(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"' || sign === "'") {
      at = endOfQuote(text, at);
      if (at < 0) return -1;
    } else if (sign === "[") depth++;
    else if (sign === "]" && --depth === 0) return at;
  }
  return -1;
}

const OPERATORS = ["==", "!=", "<=", ">=", "<", ">"] as const;

function parseBracket(text: string, fail: Fail): Step {
  const inside = text.trim();
  if (inside.startsWith("?(")) {
    if (!inside.endsWith(")")) fail("unterminated filter");
    return { kind: "filter", filter: parseFilter(inside.slice(2, -1).trim(), fail) };
  }
  const parts = splitOutsideQuotes(inside, ",");
  if (parts.length > 1) return { kind: "union", paths: parts.map((part) => [parseBracket(part, fail)]) };
  if (inside === "*") return { kind: "wildcard" };
  const quoted = /^(["'])(.*)\1$/s.exec(inside);
  if (quoted !== null) return { kind: "field", name: (quoted[2] ?? "").replace(/\\(.)/g, "$1") };
  const range = /^(-?\d*)(?::(-?\d*))?(?::(-?\d*))?$/.exec(inside);
  if (range === null || inside === "") return fail(`invalid array index ${inside}`);
  const number = (part: string | undefined): number | undefined =>
    part === undefined || part === "" ? undefined : Number(part);
  const isRange = range[2] !== undefined;
  return { kind: "slice", from: number(range[1]), to: number(range[2]), by: isRange ? (number(range[3]) ?? 1) : 0 };
}

function parseFilter(text: string, fail: Fail): Filter {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"' || sign === "'") at = Math.max(at, endOfQuote(text, at));
    else if (sign === "[" || sign === "(") depth++;
    else if (sign === "]" || sign === ")") depth--;
    const operator = depth === 0 ? OPERATORS.find((one) => text.startsWith(one, at)) : undefined;
    if (operator === undefined) continue;
    const [left, right] = [text.slice(0, at).trim(), text.slice(at + operator.length).trim()];
    return { left: parsePath(left, fail), operator, right: parsePath(right, fail) };
  }
  return { left: parsePath(text, fail), operator: "exists", right: [] };
}

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"' || sign === "'") at = Math.max(at, endOfQuote(text, at));
    else if (sign === separator) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}

const SIGNS: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const unquote = (text: string): string => text.slice(1, -1).replace(/\\(.)/g, (_, sign: string) => SIGNS[sign] ?? sign);
