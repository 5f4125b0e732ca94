import { InvalidArgument } from "@boxship/base";

/** Which rules are applied, and what their findings mean. */
export interface CheckOptions {
  readonly skip: ReadonlySet<string> | "all";
  /** Of the rules that are not applied otherwise. */
  readonly experimental: ReadonlySet<string> | "all";
  /** A finding fails the build. */
  readonly error: boolean;
}

export const DEFAULT_CHECKS: CheckOptions = { skip: new Set(), experimental: new Set(), error: false };

/**
 * Reads what `# check=` and the build argument `BUILDKIT_DOCKERFILE_CHECK` say: `skip=Rule,Rule;experimental=all;error=true`.
 *
 * @throws InvalidArgument
 */
export function parseCheckOptions(text: string): CheckOptions {
  let options = DEFAULT_CHECKS;
  if (text.trim() === "") return options;
  for (const part of text.trim().split(";")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, Math.max(equals, 0)).trim();
    if (equals < 0) throw invalid(part);
    const value = part.slice(equals + 1).trim();
    if (name === "skip" || name === "experimental") options = { ...options, [name]: rulesOf(value) };
    else if (name === "error") options = { ...options, error: truthOf(part, value) };
    else throw invalid(name);
  }
  return options;
}

/** Options with those that a comment above an instruction adds. */
export function withComments(options: CheckOptions, comments: readonly string[] | undefined): CheckOptions {
  const comment = comments?.find((text) => /^check\s*=/i.test(text));
  if (comment === undefined) return options;
  const [value = ""] = comment
    .slice(comment.indexOf("=") + 1)
    .trim()
    .split(" ");
  try {
    const { skip, experimental } = parseCheckOptions(value);
    return { ...options, skip: joined(options.skip, skip), experimental: joined(options.experimental, experimental) };
  } catch {
    // It is a comment like any other.
    return options;
  }
}

type Rules = CheckOptions["skip"];

function rulesOf(text: string): Rules {
  return text === "all" ? "all" : new Set(text.split(",").map((rule) => rule.trim()));
}

const joined = (a: Rules, b: Rules): Rules => (a === "all" || b === "all" ? "all" : a.union(b));

function truthOf(part: string, text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new InvalidArgument(`failed to parse check option ${JSON.stringify(part)}: ${text} is neither true nor false`);
}

function invalid(part: string): InvalidArgument {
  return new InvalidArgument(`invalid check option ${JSON.stringify(part)}`, {
    remedy: "write # check=skip=RULE,RULE;error=true",
  });
}
