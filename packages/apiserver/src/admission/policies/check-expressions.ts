import {
  CelError,
  compilationText,
  duplicate,
  type FieldError,
  invalid,
  invalidObject,
  type Json,
  type KubeObject,
  listAt,
  notSupported,
  required,
  textAt,
  valueAt,
} from "@boxship/api";
import type { AdmissionPlugin } from "../../contract.ts";
import { admissionProgram } from "./request-scope.ts";

const GROUP = "admissionregistration.k8s.io";
const ACTIONS = ["Audit", "Deny", "Warn"];
const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Refuses policies and webhooks whose expressions are none. */
export const expressionCheck: AdmissionPlugin = {
  name: "AdmissionExpressions",
  validate({ kind, object, operation }) {
    if (kind.group !== GROUP || object === null || (operation !== "CREATE" && operation !== "UPDATE")) return;
    const errors = errorsOf(kind.resource, object);
    if (errors.length > 0)
      throw invalidObject({ group: GROUP, resource: kind.kind }, object.metadata.name ?? "", errors);
  },
};

function errorsOf(resource: string, object: KubeObject): readonly FieldError[] {
  switch (resource) {
    case "mutatingwebhookconfigurations":
    case "validatingwebhookconfigurations":
      return listAt(object, "webhooks").flatMap((one, index) => conditions(one, `webhooks[${index}]`));
    case "validatingadmissionpolicies":
      return [...policy(object), ...validations(object), ...annotations(object)];
    case "mutatingadmissionpolicies":
      return [...policy(object), ...mutations(object)];
    case "validatingadmissionpolicybindings":
      return actions(object);
    default:
      return [];
  }
}

function conditions(holder: Json, path: string): readonly FieldError[] {
  return listAt(holder, "matchConditions").flatMap((one, index) =>
    expression(one, "expression", `${path}.matchConditions[${index}]`),
  );
}

function expression(holder: Json, field: string, path: string): readonly FieldError[] {
  const text = textAt(holder, field);
  if (text.trim() === "") return [required(`${path}.${field}`)];
  try {
    admissionProgram(text);
    return [];
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return [invalid(`${path}.${field}`, text, compilationText(text, error))];
  }
}

function policy(object: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (listAt(object, "spec", "matchConstraints", "resourceRules").length === 0)
    errors.push(required("spec.matchConstraints.resourceRules"));
  const kind = valueAt(object, "spec", "paramKind");
  for (const field of ["apiVersion", "kind"])
    if (kind !== undefined && textAt(kind, field) === "") errors.push(required(`spec.paramKind.${field}`));
  for (const [index, variable] of listAt(object, "spec", "variables").entries()) {
    const at = `spec.variables[${index}]`;
    const name = textAt(variable, "name");
    if (!NAME.test(name)) errors.push(invalid(`${at}.name`, name, "name is not a valid CEL identifier"));
    errors.push(...expression(variable, "expression", at));
  }
  return [...errors, ...conditions(object["spec"] ?? null, "spec")];
}

function validations(object: KubeObject): readonly FieldError[] {
  const all = listAt(object, "spec", "validations");
  if (all.length === 0 && listAt(object, "spec", "auditAnnotations").length === 0)
    return [required("spec.validations", "validations or auditAnnotations must be specified")];
  return all.flatMap((one, index) => {
    const at = `spec.validations[${index}]`;
    const reason = textAt(one, "reason");
    return [
      ...expression(one, "expression", at),
      ...(valueAt(one, "messageExpression") === undefined ? [] : expression(one, "messageExpression", at)),
      ...(reason === "" || REASONS.includes(reason) ? [] : [notSupported(`${at}.reason`, reason, REASONS)]),
    ];
  });
}

/** Keys stand after the policy's name and a slash in keys of audit events. */
function annotations(object: KubeObject): readonly FieldError[] {
  const all = listAt(object, "spec", "auditAnnotations");
  const keys = all.map((one) => textAt(one, "key"));
  return all.flatMap((one, index) => {
    const at = `spec.auditAnnotations[${index}]`;
    const key = keys[index] ?? "";
    return [
      ...(key === "" ? [required(`${at}.key`)] : []),
      ...(key !== "" && !KEY.test(key) ? [invalid(`${at}.key`, key, "name part must be a qualified name")] : []),
      ...(keys.indexOf(key) === index ? [] : [duplicate(`${at}.key`, key)]),
      ...expression(one, "valueExpression", at),
    ];
  });
}

const KEY = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;

function mutations(object: KubeObject): readonly FieldError[] {
  const all = listAt(object, "spec", "mutations");
  if (all.length === 0) return [required("spec.mutations", "mutations must contain at least one item")];
  return all.flatMap((one, index) => {
    const at = `spec.mutations[${index}]`;
    const type = textAt(one, "patchType");
    if (type === "ApplyConfiguration")
      return expression(valueAt(one, "applyConfiguration") ?? null, "expression", `${at}.applyConfiguration`);
    if (type === "JSONPatch") return expression(valueAt(one, "jsonPatch") ?? null, "expression", `${at}.jsonPatch`);
    return [notSupported(`${at}.patchType`, type, ["ApplyConfiguration", "JSONPatch"])];
  });
}

function actions(object: KubeObject): readonly FieldError[] {
  const all = listAt(object, "spec", "validationActions").map((one) => textAt(one));
  if (all.length === 0) return [required("spec.validationActions", "at least one validation action is required")];
  const unknown = all.filter((one) => !ACTIONS.includes(one));
  const errors = unknown.map((one) => notSupported("spec.validationActions", one, ACTIONS));
  if (all.includes("Deny") && all.includes("Warn"))
    errors.push(
      invalid(
        "spec.validationActions",
        all,
        "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
      ),
    );
  return errors;
}
