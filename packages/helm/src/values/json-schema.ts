import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { Ajv, type ErrorObject } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { compileExpression } from "../functions/regex.ts";

/**
 * Go's expressions, as in Helm: an engine that goes back would let a pattern and a value take for ever. ajv keeps one
 * for each text that they have.
 */
const regExp = Object.assign((pattern: string) => compileExpression(pattern), { code: "" });
const OPTIONS = { allErrors: true, strict: false, validateFormats: false, logger: false, code: { regExp } } as const;
/** Compiling and checking take time in proportion to the schema. */
const MOST_BYTES = 5 * 1024 * 1024;

/**
 * What is wrong with a value by a schema of draft 7 (also 4 and 6, as far as they agree), 2019-09 or 2020-12.
 *
 * @throws InvalidArgument for a schema that is none; Unsupported for one that refers to other files
 */
export async function validate(schema: Buffer, value: unknown, chart: string): Promise<readonly string[]> {
  if (schema.length > MOST_BYTES)
    throw new InvalidArgument(`values.schema.json of ${chart} is larger than ${MOST_BYTES} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(schema.toString("utf8"));
  } catch (error) {
    throw new InvalidArgument(`values.schema.json of ${chart} is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (parsed === true || parsed === false) return parsed ? [] : ["(root): nothing is allowed here"];
  const { $schema: declared } = parsed as { readonly $schema?: unknown };
  const draft = typeof declared === "string" ? declared : "";
  const { $schema: _draft, $id: _id, ...rest } = parsed as Record<string, unknown>;
  const ajv = draft.includes("2020-12")
    ? new Ajv2020(OPTIONS)
    : draft.includes("2019-09")
      ? new Ajv2019(OPTIONS)
      : new Ajv(OPTIONS);
  const own = typeof _id === "string" ? { ...rest, $id: _id } : rest;
  try {
    const check = ajv.compile(own);
    return check(value) ? [] : (check.errors ?? []).map(problemText);
  } catch (error) {
    const message = error instanceof RangeError ? "it refers to itself without an end" : (error as Error).message;
    if (message.startsWith("can't resolve reference")) {
      throw new Unsupported(`values.schema.json of ${chart}: ${message}: other documents are not fetched`, {
        cause: error,
      });
    }
    throw new InvalidArgument(`values.schema.json of ${chart}: ${message}`, { cause: error });
  }
}

function problemText({ instancePath, message = "", params, keyword }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~");
  const where = path === "" ? "(root)" : path;
  if (keyword === "additionalProperties") {
    return `${where}: Additional property ${String(params["additionalProperty"])} is not allowed`;
  }
  if (keyword === "required") return `${where}: ${String(params["missingProperty"])} is required`;
  if (keyword === "enum")
    return `${where}: ${message}: ${(params["allowedValues"] as readonly unknown[]).map((one) => JSON.stringify(one)).join(", ")}`;
  return `${where}: ${message}`;
}
