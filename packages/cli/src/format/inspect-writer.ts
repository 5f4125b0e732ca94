import { errorMessage } from "@boxship/base/errors";
import { parseJson, pointerTo, Template, templateFunctions, typed } from "@boxship/template";
import { Failure } from "../failure.ts";
import { inspectType } from "./inspect-schema.ts";

/** One object as the engine describes it. */
export interface Inspected {
  /** Name of its type in the table of shapes. */
  readonly type: string;
  /** The answer as it came. */
  readonly json: string;
}

/** Exit status for a format that cannot be parsed. */
const BAD_FORMAT = 64;

function compile(format: string, missingKey: "default" | "error"): Template {
  try {
    return new Template("", { functions: templateFunctions, missingKey }).parse(format);
  } catch (error) {
    throw new Failure(`template parsing error: ${errorMessage(error)}`, { status: BAD_FORMAT, cause: error });
  }
}

/** Text of a template on typed data; what the type does not know is looked up in the answer itself. */
function formatOne(format: string, { type, json }: Inspected): string {
  const raw = parseJson(json);
  try {
    return compile(format, "default").execute(typed(pointerTo(inspectType(type)), raw));
  } catch (error) {
    if (error instanceof Failure) throw error;
    try {
      return compile(format, "error").execute(raw);
    } catch (second) {
      throw new Failure(`template parsing error: ${errorMessage(second)}`, { cause: second });
    }
  }
}

/** JSON of all objects, indented by four; a number's spelling stays as it is. */
function indent(json: string): string {
  return reindent(json, "    ");
}

/**
 * White space of a JSON text, made anew: every member on a line of its own.
 *
 * Numbers and strings are copied as they are, because a parser would change those that JavaScript cannot hold.
 */
export function reindent(json: string, unit: string): string {
  let depth = 0;
  let output = "";
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const line = (): string => `\n${unit.repeat(depth)}`;
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      const closing = token === "{" ? "}" : "]";
      depth++;
      output += next === closing ? token : token + line();
    } else if (token === "}" || token === "]") {
      depth--;
      const before = tokens[index - 1];
      output += before === "{" || before === "[" ? token : line() + token;
    } else if (token === ",") output += token + line();
    else output += token === ":" ? ": " : token;
  }
  return output;
}

/** White space of a JSON text, taken away. */
export function compact(json: string): string {
  return (json.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? []).join("");
}

export interface InspectResult {
  readonly output: string;
  readonly errors: readonly Error[];
}

/** Prints objects as `--format` says: indented JSON, `json` on one line, or a template for each. */
export function formatInspected(objects: readonly Inspected[], format: string): InspectResult {
  const all = `[${objects.map(({ json }) => json.trim()).join(",")}]`;
  if (format === "") return { output: `${indent(all)}\n`, errors: [] };
  if (format === "json") return { output: `${compact(all)}\n`, errors: [] };
  compile(format, "default");
  let output = "";
  const errors: Error[] = [];
  for (const object of objects) {
    try {
      output += `${formatOne(format, object)}\n`;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      errors.push(error);
    }
  }
  return { output: output === "" ? "\n" : output, errors };
}
