import { badRequest, type Json } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { CORE_SCHEMA, load } from "js-yaml";

/** Values that aliases may add up to. */
const MOST_VALUES = 200_000;

/** One YAML document as JSON. @throws BadRequest */
export function parseYaml(text: string): Json {
  let value: Json;
  try {
    value = (load(text, { schema: CORE_SCHEMA }) ?? null) as Json;
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: yaml: ${errorMessage(error).split("\n")[0]}`);
  }
  checkSize(value);
  return value;
}

/** A few aliases of aliases stand for more than any memory holds; integers that were rounded are not what was meant. */
function checkSize(value: Json): void {
  let seen = 0;
  const walk = (one: Json | undefined, depth: number): void => {
    if (++seen > MOST_VALUES || depth > 1000)
      throw badRequest("error converting YAML to JSON: yaml: document contains excessive aliasing");
    if (typeof one === "number" && Number.isInteger(one) && !Number.isSafeInteger(one))
      throw badRequest(
        `error converting YAML to JSON: yaml: ${one} is beyond what can be read from YAML exactly: send JSON`,
      );
    if (typeof one !== "object" || one === null) return;
    for (const item of Object.values(one)) walk(item, depth + 1);
  };
  walk(value, 0);
}
