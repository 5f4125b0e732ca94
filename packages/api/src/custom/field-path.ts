import { isObject, type Json, type JsonObject } from "../object/json.ts";

/** Where a path within a schema leads to, or why it leads nowhere. */
export type FieldPath =
  | { readonly steps: readonly string[]; readonly schema: JsonObject; readonly problem?: undefined }
  | { readonly problem: string };

const TOKEN = /[.[\]]|'(?:\\.|[^'])*'|[^.[\]]+/gsu;
const NOWHERE = "does not refer to a valid field";

/**
 * Follows a path such as `.spec.color` or `['spec']['a.b']` in a schema.
 *
 * @param options.brackets whether `[…]` may be used
 */
export function followFieldPath(text: string, schema: Json, options: { readonly brackets: boolean }): FieldPath {
  const tokens = text.match(TOKEN) ?? [];
  const steps: string[] = [];
  let here: Json | undefined = schema;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    let name = tokens[++at];
    if (token !== "." && token !== "[") return { problem: `expected [ or . but got: ${token}` };
    if (token === "[" && !options.brackets) return { problem: "array notation is not allowed" };
    if (name === undefined) return { problem: "unexpected end of JSON path" };
    if (token === "[") {
      if (name.length < 2 || !/^'.*'$/s.test(name)) return { problem: `expected single quoted string but got ${name}` };
      name = name.slice(1, -1).replace(/\\(?<escaped>.)/gs, "$<escaped>");
    }
    here = below(here, name);
    if (here === undefined) return { problem: NOWHERE };
    steps.push(name);
    if (token !== "[") continue;
    const end = tokens[++at];
    if (end === undefined) return { problem: "unexpected end of JSON path" };
    if (end !== "]") return { problem: `expected ] but got ${end}` };
  }
  return { steps, schema: isObject(here ?? null) ? (here as JsonObject) : {} };
}

function below(schema: Json | undefined, name: string): JsonObject | undefined {
  if (!isObject(schema ?? null)) return undefined;
  const { properties, additionalProperties } = schema as JsonObject;
  if (isObject(properties ?? null) && Object.keys(properties as JsonObject).length > 0) {
    if (!Object.hasOwn(properties as JsonObject, name)) return undefined;
    const own = (properties as JsonObject)[name] ?? null;
    return isObject(own) ? own : {};
  }
  return isObject(additionalProperties ?? null) ? (additionalProperties as JsonObject) : undefined;
}
