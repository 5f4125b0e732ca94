import { isObject, type Json } from "../object/json.ts";
import { textAt } from "../object/kube-object.ts";
import { duplicate, type FieldError, invalid, required, tooMany } from "../status/field-error.ts";
import { followFieldPath } from "./field-path.ts";

const MOST = 8;
const TYPES = ["string", "boolean", "integer"];

/** What is wrong with the fields that a version's objects can be selected by. */
export function selectableErrors(
  fields: readonly Json[],
  schema: Json | undefined,
  path: string,
): readonly FieldError[] {
  if (fields.length === 0 || !isObject(schema ?? null)) return [];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, field] of fields.entries()) {
    const [text, at] = [textAt(field, "jsonPath"), `${path}[${index}].jsonPath`];
    if (text === "") {
      errors.push(required(at));
      continue;
    }
    const found = followFieldPath(text, schema ?? null, { brackets: false });
    if (found.problem !== undefined) {
      errors.push(invalid(at, text, `is an invalid path: ${found.problem}`));
      continue;
    }
    if (found.steps[0] === "metadata") errors.push(invalid(at, text, "must not point to fields in metadata"));
    if (!TYPES.includes(textAt(found.schema, "type"))) errors.push(invalid(at, text, WRONG_TYPE));
    const place = found.steps.join(".");
    if (seen.has(place)) errors.push(duplicate(at, text));
    seen.add(place);
  }
  return seen.size > MOST ? [...errors, tooMany(path, seen.size, MOST)] : errors;
}

const WRONG_TYPE =
  "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
