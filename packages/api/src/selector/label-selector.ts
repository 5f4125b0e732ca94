import { badRequest } from "../status/failures.ts";
import { labelValue, qualifiedName } from "../validation/names.ts";

/** One condition of a label selector. */
export type Requirement =
  | { readonly key: string; readonly operator: "in" | "notin"; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: "exists" | "absent" }
  | { readonly key: string; readonly operator: "gt" | "lt"; readonly value: number };

export type LabelSelector = readonly Requirement[];

/** What is not a mark is a word; the last one is empty. */
interface Token {
  readonly kind: "end" | "mark" | "word";
  readonly text: string;
}

const TOKEN = /[ \t\r\n]*(?:(?<mark>==|!=|[=!,()<>])|(?<word>[^ \t\r\n,()=!<>\0]+))/y;
const KEYWORDS = new Set(["in", "notin"]);
const OPERATORS = "in, notin, =, ==, !=, gt, lt";

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (;;) {
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) return [...tokens, { kind: "end", text: "" }];
    const { mark, word = "" } = groups;
    tokens.push(mark === undefined ? { kind: "word", text: word } : { kind: "mark", text: mark });
  }
}

/**
 * Reads a selector as queries have it: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. What is wrong is said in upstream's words.
 *
 * @throws BadRequest
 */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const end: Token = { kind: "end", text: "" };
  const peek = (): Token => tokens[at] ?? end;
  const take = (): Token => tokens[at++] ?? end;
  const next = (mark: string): boolean => peek().kind === "mark" && peek().text === mark;
  const fail = (why: string): never => {
    throw badRequest(why);
  };
  const unable = (why: string): never => fail(`unable to parse requirement: ${why}`);
  for (;;) {
    if (peek().kind === "end") return requirements;
    if (peek().kind !== "word" && !next("!"))
      fail(`found '${peek().text}', expected: !, identifier, or 'end of string'`);
    requirements.push(requirement());
    const { kind, text: found } = take();
    if (kind === "end") return requirements;
    if (found !== "," || kind !== "mark") fail(`found '${found}', expected: ',' or 'end of string'`);
    if (peek().kind !== "word" && !next("!")) fail(`found '${peek().text}', expected: identifier after ','`);
  }

  function requirement(): Requirement {
    const absent = next("!");
    if (absent) take();
    const { kind, text: key } = take();
    if (kind !== "word") unable(`found '${key}', expected: identifier`);
    const problems = qualifiedName(key);
    if (problems.length > 0) unable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problems.join("; ")}`);
    if (absent) return { key, operator: "absent" };
    if (peek().kind === "end" || next(",")) return { key, operator: "exists" };
    const operator = take();
    if (!isOperator(operator)) unable(`found '${operator.text}', expected: ${OPERATORS}`);
    const found = KEYWORDS.has(operator.text) ? values() : [value()];
    checkValues(key, operator.text, found);
    switch (operator.text) {
      case "in":
      case "notin":
        return { key, operator: operator.text, values: new Set(found) };
      case "!=":
        return { key, operator: "notin", values: new Set(found) };
      case "<":
      case ">":
        return { key, operator: operator.text === "<" ? "lt" : "gt", value: Number(found[0]) };
      default:
        return { key, operator: "in", values: new Set(found) };
    }
  }

  function checkValues(key: string, operator: string, found: readonly string[]): void {
    const errors: string[] = [];
    for (const [index, one] of found.entries()) {
      if ((operator === "<" || operator === ">") && !isInteger(one))
        errors.push(`values[${index}]: Invalid value: ${JSON.stringify(one)}: ${NO_INTEGER}`);
    }
    for (const [index, one] of found.entries()) {
      const problems = labelValue(one);
      if (problems.length > 0)
        errors.push(`values[${index}][${key}]: Invalid value: ${JSON.stringify(one)}: ${problems.join("; ")}`);
    }
    if (errors.length > 0) unable(errors.length === 1 ? (errors[0] ?? "") : `[${errors.join(", ")}]`);
  }

  /** What is compared with; nothing is the empty text. */
  function value(): string {
    if (peek().kind === "end" || next(",")) return "";
    const { kind, text: found } = take();
    return kind === "word" ? found : unable(`found '${found}', expected: identifier`);
  }

  /** In their order, each once. */
  function values(): readonly string[] {
    const open = take();
    if (open.kind !== "mark" || open.text !== "(") unable(`found '${open.text}' expected: '('`);
    if (next(")")) {
      take();
      return [""];
    }
    if (peek().kind !== "word" && !next(",")) unable(`found '${peek().text}', expected: ',', ')' or identifier`);
    const found = new Set<string>();
    for (;;) {
      const { kind, text: one } = take();
      if (kind === "word") {
        found.add(one);
        if (!next(",") && !next(")")) unable(`found '${peek().text}', expected: ',' or ')'`);
      } else if (kind === "mark" && one === ",") {
        if (found.size === 0 || next(")") || next(",")) found.add("");
      } else unable(`found '${one}', expected: ',', or identifier`);
      if (next(")")) {
        take();
        return [...found].sort();
      }
    }
  }
}

const NO_INTEGER = "for 'Gt', 'Lt' operators, the value must be an integer";

function isOperator({ kind, text }: Token): boolean {
  if (kind === "word") return KEYWORDS.has(text);
  return ["=", "==", "!=", "<", ">"].includes(text);
}

function isInteger(text: string): boolean {
  if (!/^[+-]?\d+$/.test(text)) return false;
  const number = BigInt(text.replace(/^\+/, ""));
  return BigInt.asIntN(64, number) === number;
}

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
