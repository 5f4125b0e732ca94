import { type CelType, DYN } from "../../cel/types.ts";
import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { checkConditions } from "../../validation/conditions.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dns1035Label, dnsSubdomain, qualifiedName } from "../../validation/names.ts";
import { checkExpression, type Environment, GIVES, isIdentifier } from "./expressions.ts";
import { checkMatchConditions, checkMatchResources, checkMutatedOperations } from "./match-resources.ts";

const MOST_ANNOTATIONS = 20;
const LONGEST_ANNOTATION = 5 * 1024;
const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const PATCH_TYPES = ["ApplyConfiguration", "JSONPatch"];

function checkParamKind(found: Findings, kind: Json): void {
  const at = "spec.paramKind";
  const [apiVersion, name] = [textAt(kind, "apiVersion"), textAt(kind, "kind")];
  const parts = apiVersion.split("/");
  const [group = "", version = ""] = parts.length === 1 ? ["", ...parts] : parts;
  const field = `${at}.apiVersion`;
  if (apiVersion === "") found.required(field);
  else if (parts.length > 2) found.invalid(field, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  else {
    const wrong = group === "" ? [] : dnsSubdomain(group);
    if (wrong.length > 0) found.invalid(field, group, wrong.join(","));
    const ill = dns1035Label(version);
    if (version === "") found.invalid(field, apiVersion, "version must be specified");
    else if (ill.length > 0) found.invalid(field, version, ill.join(","));
  }
  const problems = dns1035Label(name.toLowerCase());
  if (name === "") found.required(`${at}.kind`);
  else if (problems.length > 0)
    found.invalid(`${at}.kind`, name, `may have mixed case, but should otherwise match: ${problems.join(",")}`);
}

function checkVariables(found: Findings, spec: Json | undefined, environment: Environment): Map<string, CelType> {
  const known = new Map<string, CelType>();
  for (const [index, variable] of listAt(spec, "variables").entries()) {
    const at = `spec.variables[${index}]`;
    const [name, text] = [textAt(variable, "name"), textAt(variable, "expression")];
    if (name.trim() === "") found.required(`${at}.name`, "name is not specified");
    else if (!isIdentifier(name)) found.invalid(`${at}.name`, name, "must be a valid CEL identifier");
    if (text.trim() === "") found.required(`${at}.expression`, "expression is not specified");
    else {
      const type = checkExpression(found, `${at}.expression`, text, { ...environment, variables: new Map(known) });
      known.set(name, type ?? DYN);
    }
  }
  return known;
}

/** What both sorts of policies say. */
function checkPolicy(found: Findings, spec: Json | undefined, mutates: boolean): Environment {
  const kind = valueAt(spec, "paramKind");
  const environment: Environment = { params: isObject(kind) };
  if (valueAt(spec, "failurePolicy") === undefined) found.required("spec.failurePolicy");
  found.oneOf("spec.failurePolicy", valueAt(spec, "failurePolicy"), ["Fail", "Ignore"]);
  if (isObject(kind)) checkParamKind(found, kind);
  const constraints = valueAt(spec, "matchConstraints");
  if (isObject(constraints)) {
    checkMatchResources(found, "spec.matchConstraints", constraints);
    if (listAt(constraints, "resourceRules").length === 0) found.required("spec.matchConstraints.resourceRules");
    if (mutates) checkMutatedOperations(found, "spec.matchConstraints", constraints);
  } else found.required("spec.matchConstraints");
  checkMatchConditions(found, "spec.matchConditions", listAt(spec, "matchConditions"), environment);
  const variables = checkVariables(found, spec, environment);
  return { ...environment, ...(mutates || variables.size > 0 ? { variables } : {}) };
}

function checkValidation(found: Findings, at: string, validation: Json, environment: Environment): void {
  const text = (field: string): string => textAt(validation, field);
  if (text("expression").trim() === "") found.required(`${at}.expression`, "expression is not specified");
  else checkExpression(found, `${at}.expression`, text("expression"), environment, GIVES.condition);
  const [message, words] = [text("messageExpression"), text("message")];
  if (message !== "" && message.trim() === "")
    found.invalid(`${at}.messageExpression`, message, "must be non-empty if specified");
  else if (message !== "")
    checkExpression(found, `${at}.messageExpression`, message, { ...environment, authorizer: false }, GIVES.message);
  if (words !== "" && words.trim() === "") found.invalid(`${at}.message`, words, "must be non-empty if specified");
  else if (/[\n\r]/.test(words.trim())) found.invalid(`${at}.message`, words, "must not contain line breaks");
  found.oneOf(`${at}.reason`, valueAt(validation, "reason"), REASONS);
}

function checkAnnotation(found: Findings, at: string, name: string, annotation: Json, environment: Environment): void {
  const [key, text] = [textAt(annotation, "key"), textAt(annotation, "valueExpression")];
  if (name === "") found.invalid(`${at}.key`, key, "requires metadata.name be non-empty");
  else found.name(qualifiedName, `${at}.key`, `${name}/${key}`);
  const field = `${at}.valueExpression`;
  const trimmed = text.trim();
  if (trimmed === "") found.required(field, "valueExpression is not specified");
  else if (Buffer.byteLength(trimmed) > LONGEST_ANNOTATION)
    found.required(field, `must not exceed ${LONGEST_ANNOTATION} bytes in length`);
  else checkExpression(found, field, trimmed, environment, GIVES.annotation, text);
}

const NOTHING = "validations or auditAnnotations must contain at least one item";

function checkValidations(found: Findings, { metadata, spec }: KubeObject, environment: Environment): void {
  const [validations, annotations] = [listAt(spec, "validations"), listAt(spec, "auditAnnotations")];
  if (validations.length === 0 && annotations.length === 0) {
    found.required("spec.validations", NOTHING);
    found.required("spec.auditAnnotations", NOTHING);
  }
  for (const [index, one] of validations.entries())
    checkValidation(found, `spec.validations[${index}]`, one, environment);
  if (annotations.length > MOST_ANNOTATIONS)
    found.invalid(
      "spec.auditAnnotations",
      [...annotations],
      `must not have more than ${MOST_ANNOTATIONS} auditAnnotations`,
    );
  const keys = new Set<string>();
  for (const [index, one] of annotations.entries()) {
    const at = `spec.auditAnnotations[${index}]`;
    checkAnnotation(found, at, metadata.name ?? "", one, environment);
    if (keys.has(textAt(one, "key"))) found.duplicate(`${at}.key`, textAt(one, "key"));
    keys.add(textAt(one, "key"));
  }
}

function checkStatus(found: Findings, { status }: KubeObject): void {
  for (const [index, warning] of listAt(status, "typeChecking", "expressionWarnings").entries()) {
    const at = `status.typeChecking.expressionWarnings[${index}]`;
    if (textAt(warning, "warning") === "") found.required(`${at}.warning`);
    if (textAt(warning, "fieldRef").trim() === "") found.required(`${at}.fieldRef`);
  }
  checkConditions(found, "status.conditions", listAt(status, "conditions"));
}

/** `admissionregistration/v1.ValidatingAdmissionPolicy` */
export const validatingPolicy: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: (object) =>
    findingsOf((found) => checkValidations(found, object, checkPolicy(found, object["spec"], false))),
  validateStatus: (object) => findingsOf((found) => checkStatus(found, object)),
};

/** The two ways to change something, each with where its expression is. */
const WAYS = { ApplyConfiguration: "applyConfiguration", JSONPatch: "jsonPatch" } as const;

function checkMutation(found: Findings, at: string, mutation: Json, environment: Environment): void {
  const type = textAt(mutation, "patchType");
  if (type === "") {
    found.required(`${at}.patchType`);
    return;
  }
  if (type !== "ApplyConfiguration" && type !== "JSONPatch") {
    found.notSupported(`${at}.patchType`, type, PATCH_TYPES);
    return;
  }
  const own = WAYS[type];
  const other = own === "jsonPatch" ? "applyConfiguration" : "jsonPatch";
  if (isObject(valueAt(mutation, own))) {
    const text = textAt(mutation, own, "expression").trim();
    const field = `${at}.${own}.expression`;
    if (text === "") found.required(field);
    else checkExpression(found, field, text, { ...environment, mutates: true }, GIVES[own]);
  } else found.required(`${at}.${own}`, `must be specified when patchType is ${type}`);
  if (isObject(valueAt(mutation, other)))
    found.invalid(`${at}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`);
}

/** `admissionregistration/v1.MutatingAdmissionPolicy` */
export const mutatingPolicy: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }) =>
    findingsOf((found) => {
      const environment = checkPolicy(found, spec, true);
      const mutations = listAt(spec, "mutations");
      if (mutations.length === 0) found.required("spec.mutations", "mutations must contain at least one item");
      for (const [index, one] of mutations.entries())
        checkMutation(found, `spec.mutations[${index}]`, one, environment);
      const again = textAt(spec, "reinvocationPolicy");
      if (again === "") found.required("spec.reinvocationPolicy");
      else found.oneOf("spec.reinvocationPolicy", again, ["IfNeeded", "Never"]);
    }),
};
