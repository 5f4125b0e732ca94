import { badRequest } from "../status/failures.ts";
import { labelValue, qualifiedName } from "../validation/names.ts";

/** One condition of a label selector. */
export type Requirement =
  | { readonly key: string; readonly operator: "in" | "notin"; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: "exists" | "absent" }
  | { readonly key: string; readonly operator: "gt" | "lt"; readonly value: number };

export type LabelSelector = readonly Requirement[];

const TOKEN = /\s*(?:(?<word>[^\s,()=!<>]+)|(?<mark>==|!=|[=!,()<>]))/y;

/**
 * Reads a selector as queries have it: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
 *
 * @throws BadRequest
 */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const peek = (): string | undefined => tokens[at];
  const take = (): string => tokens[at++] ?? "";
  const fail = (): never => {
    throw badRequest(
      `unable to parse requirement: found '${peek() ?? ""}', expected: identifier or operator in "${text}"`,
    );
  };
  const word = (): string => (isMark(peek()) || peek() === undefined ? fail() : take());
  while (at < tokens.length) {
    requirements.push(checked(requirement()));
    if (peek() === ",") {
      take();
      if (peek() === undefined) fail();
    } else if (peek() !== undefined) fail();
  }
  return requirements;

  function requirement(): Requirement {
    if (peek() === "!") {
      take();
      return { key: word(), operator: "absent" };
    }
    const key = word();
    switch (peek()) {
      case undefined:
      case ",":
        return { key, operator: "exists" };
      case "=":
      case "==":
        take();
        return { key, operator: "in", values: new Set([value()]) };
      case "!=":
        take();
        return { key, operator: "notin", values: new Set([value()]) };
      case "<":
      case ">": {
        const operator = take() === "<" ? "lt" : "gt";
        const number = word();
        return /^-?\d+$/.test(number) ? { key, operator, value: Number(number) } : fail();
      }
      case "in":
      case "notin": {
        const operator = take() as "in" | "notin";
        return { key, operator, values: values() };
      }
      default:
        return fail();
    }
  }

  function value(): string {
    return peek() === "," || peek() === undefined ? "" : word();
  }

  function values(): ReadonlySet<string> {
    if (take() !== "(") fail();
    const found = new Set<string>();
    if (peek() === ")") fail();
    for (;;) {
      found.add(peek() === "," || peek() === ")" ? "" : word());
      const mark = take();
      if (mark === ")") return found;
      if (mark !== ",") fail();
    }
  }
}

/** @throws BadRequest for what can be no label */
function checked(requirement: Requirement): Requirement {
  const refuse = (field: string, value: string, problems: readonly string[]): void => {
    if (problems.length === 0) return;
    throw badRequest(
      `unable to parse requirement: ${field}: Invalid value: ${JSON.stringify(value)}: ${problems.join("; ")}`,
    );
  };
  const { key } = requirement;
  refuse("key", key, qualifiedName(key));
  if ("values" in requirement) {
    for (const [index, value] of [...requirement.values].entries())
      refuse(`values[${index}][${key}]`, value, labelValue(value));
  }
  return requirement;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const trimmed = text.trim();
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(trimmed);
    if (match === null) throw badRequest(`unable to parse selector "${text}" at ${at}`);
    tokens.push(match.groups?.["word"] ?? match.groups?.["mark"] ?? "");
  }
  return tokens;
}

const isMark = (token: string | undefined): boolean => token !== undefined && /^[=!,()<>]/.test(token);

export type Labels = Readonly<Record<string, string>>;

export function matchesLabels(selector: LabelSelector, labels: Labels | undefined): boolean {
  return selector.every((one) => {
    const value = labels !== undefined && Object.hasOwn(labels, one.key) ? labels[one.key] : undefined;
    switch (one.operator) {
      case "exists":
        return value !== undefined;
      case "absent":
        return value === undefined;
      case "in":
        return value !== undefined && one.values.has(value);
      case "notin":
        return value === undefined || !one.values.has(value);
      case "gt":
        return value !== undefined && Number(value) > one.value;
      case "lt":
        return value !== undefined && Number(value) < one.value;
    }
  });
}
