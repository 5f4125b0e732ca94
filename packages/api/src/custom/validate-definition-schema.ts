import type { Turns } from "@boxship/base";
import type { JsonObject } from "../object/json.ts";
import { textAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, invalidUnshown } from "../status/field-error.ts";
import { schemaInTurns } from "./from-json-schema.ts";
import { validateDefaults } from "./validate-defaults.ts";
import { validateKeywords } from "./validate-keywords.ts";
import { validateRuleTexts } from "./validate-rule-texts.ts";
import { isSet, structureErrors } from "./validate-structure.ts";

export interface CheckedSchema {
  readonly errors: readonly FieldError[];
  readonly hasDefaults: boolean;
}

/**
 * What is wrong with one schema of a definition. Gives way now and then.
 *
 * @param hasStatus whether its objects have a status of their own
 */
export function* validateDefinitionSchema(schema: JsonObject, path: string, hasStatus: boolean): Turns<CheckedSchema> {
  const errors = [...(hasStatus ? statusErrors(schema, path) : [])];
  if (schema["nullable"] === true)
    errors.push(forbiddenField(`${path}.nullable`, "nullable cannot be true at the root"));
  const { errors: keywords, unsupported, hasDefaults } = yield* validateKeywords(schema, path);
  if (unsupported !== undefined) {
    const more = keywords.length > 0 ? keywords : [invalid(path, "", unsupported)];
    return { errors: [...errors, ...more], hasDefaults };
  }
  const structure = yield* structureErrors(schema, path);
  const isStructural = structure.length === 0;
  const defaults = isStructural && hasDefaults ? yield* validateDefaults(yield* schemaInTurns(schema), path) : [];
  const found = [...errors, ...structure, ...defaults, ...keywords];
  // Rules are about types: without those nothing can be said of them.
  const isKnown = isStructural && defaults.length === 0;
  return { errors: isKnown ? [...found, ...(yield* validateRuleTexts(schema, path))] : found, hasDefaults };
}

/** What a schema may have at its root, whose status is checked apart from the rest, in upstream's words. */
const AT_ROOT = [
  "Description",
  "Type",
  "Format",
  "Title",
  "Maximum",
  "ExclusiveMaximum",
  "Minimum",
  "ExclusiveMinimum",
  "MaxLength",
  "MinLength",
  "Pattern",
  "MaxItems",
  "MinItems",
  "UniqueItems",
  "MultipleOf",
  "Required",
  "Items",
  "Properties",
  "ExternalDocs",
  "Example",
  "XPreserveUnknownFields",
  "XValidations",
];
const OTHER_NAMES: Readonly<Record<string, string>> = {
  "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
  "x-kubernetes-validations": "XValidations",
};

function statusErrors(schema: JsonObject, path: string): readonly FieldError[] {
  const type = textAt(schema, "type");
  const inStatus = "at the root of the schema if the status subresource is enabled";
  if (type !== "" && type !== "object")
    return [invalid(`${path}.type`, type, `only "object" is allowed as the type ${inStatus}`)];
  const others = Object.keys(schema).filter((field) => {
    const name = OTHER_NAMES[field] ?? `${field.slice(0, 1).toUpperCase()}${field.slice(1)}`;
    const isThere = isSet(schema[field]) || (field === "additionalProperties" && schema[field] === false);
    return isThere && !AT_ROOT.includes(name);
  });
  if (others.length === 0) return [];
  // Upstream shows the whole schema, by names of its own.
  return [invalidUnshown(path, `only [${AT_ROOT.join(" ")}] fields are allowed ${inStatus}`)];
}
