import type { Turns } from "@boxship/base";
import { hasRules, validateCelRules } from "../custom/validate-cel-rules.ts";
import type { Kind } from "../kind/kind.ts";
import type { KubeObject } from "../object/kube-object.ts";
import { invalidObject } from "../status/failures.ts";
import { asText, type FieldError } from "../status/field-error.ts";
import { validateMetadata, validateMetadataUpdate } from "./validate-metadata.ts";
import { validateRequired } from "./validate-required.ts";
import { validateSchema } from "./validate-schema.ts";

/** All that is wrong with a new, defaulted object. @throws Invalid */
export function* validateObject(kind: Kind, object: KubeObject): Turns<void> {
  refuseObject(kind, object, yield* errorsOfObject(kind, object));
}

/**
 * All that is wrong with a defaulted object by itself. Gives way now and then.
 *
 * @param old what it was, undefined for a new one
 */
export function* errorsOfObject(
  kind: Kind,
  object: KubeObject,
  subresource = "",
  old?: KubeObject,
): Turns<FieldError[]> {
  const errors = validateMetadata(kind, object, old);
  if (kind.custom) {
    for (const error of yield* validateSchema(kind.schema, object)) errors.push(error);
    if (errors.length > 0 && hasRules(kind.schema)) errors.push(RULES_NOT_CHECKED);
  } else if (subresource !== "status") {
    for (const error of yield* validateBuiltin(kind, object, old)) errors.push(error);
  }
  return errors;
}

const RULES_NOT_CHECKED: FieldError = {
  reason: "FieldValueInvalid",
  field: "<nil>",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

/**
 * What the rules of a custom kind's schema find wrong. Objects that are wrong otherwise are not asked about. Gives way
 * now and then.
 *
 * @param old undefined for a new one
 * @throws Invalid
 */
export function* validateObjectRules(kind: Kind, object: KubeObject, old: KubeObject | undefined): Turns<void> {
  if (kind.custom) refuseObject(kind, object, yield* validateCelRules(kind.schema, object, old));
}

/** Required fields are looked at below the object's own, which metadata's are checked apart from. */
function* validateBuiltin(kind: Kind, object: KubeObject, old: KubeObject | undefined): Turns<readonly FieldError[]> {
  const { metadata: _, status: __, ...rest } = object;
  const { hooks } = kind;
  const bySchema = validateRequired(kind.schema, rest);
  const missing = bySchema.filter(
    ({ field, reason }) => field !== "metadata" && !(hooks.validatesAll === true && reason === "FieldValueRequired"),
  );
  const slow = hooks.validateInTurns?.(object, old);
  const more = slow === undefined ? (hooks.validate?.(object, old) ?? []) : yield* slow;
  const wrong = [...missing, ...more];
  if (wrong.length === 0 || old === undefined) return wrong;
  // What was kept before there was a rule can still be changed where it is right.
  const before = new Set((yield* validateBuiltin(kind, old, undefined)).map(asText));
  return wrong.filter((error) => !before.has(asText(error)));
}

/** What an update may not change. */
export function errorsOfUpdate(kind: Kind, object: KubeObject, old: KubeObject, subresource = ""): FieldError[] {
  const { hooks } = kind;
  const more =
    subresource === "status" ? hooks.validateStatus?.(object, old) : hooks.validateUpdate?.(object, old, subresource);
  return [...validateMetadataUpdate(object, old), ...(more ?? [])];
}

/** @throws Invalid where there are errors */
export function refuseObject(kind: Kind, { metadata }: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const once = [...new Map(errors.map((error) => [asText(error), error])).values()];
  throw invalidObject({ group: kind.group, resource: kind.kind }, metadata.name || metadata.generateName || "", once);
}
