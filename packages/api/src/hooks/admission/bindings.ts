import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsSubdomain, pathSegment } from "../../validation/names.ts";
import { checkSelector } from "../../validation/selectors.ts";
import { checkMatchResources, checkMutatedOperations } from "./match-resources.ts";

const ACTIONS = ["Audit", "Deny", "Warn"];
const EITHER = "name and selector are mutually exclusive";

function checkParamRef(found: Findings, at: string, reference: Json | undefined): void {
  if (!isObject(reference)) return;
  const [name, selector] = [textAt(reference, "name"), reference["selector"]];
  if (name !== "") {
    found.name(pathSegment, `${at}.name`, name);
    if (isObject(selector)) found.forbidden(`${at}.name`, EITHER);
  }
  if (isObject(selector)) {
    checkSelector(found, `${at}.selector`, selector);
    if (name !== "") found.forbidden(`${at}.selector`, EITHER);
  }
  if (name === "" && !isObject(selector)) found.required(at, "one of name or selector must be specified");
  const action = textAt(reference, "parameterNotFoundAction");
  if (action === "") found.required(`${at}.parameterNotFoundAction`);
  else if (action !== "Deny" && action !== "Allow")
    found.notSupported(`${at}.parameterNotFoundAction`, action, ["Deny", "Allow"]);
}

function checkActions(found: Findings, at: string, list: readonly Json[]): void {
  const actions = new Set<string>();
  for (const [index, one] of list.entries()) {
    const action = textAt(one);
    found.oneOf(`${at}[${index}]`, action, ACTIONS);
    if (actions.has(action)) found.duplicate(`${at}[${index}]`, action);
    actions.add(action);
  }
  if (actions.has("Deny") && actions.has("Warn"))
    found.invalid(
      at,
      [...list],
      "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
    );
  if (actions.size === 0) found.required(at, "at least one validation action is required");
}

function checkBinding(found: Findings, spec: Json | undefined): void {
  found.requiredName(dnsSubdomain, "spec.policyName", textAt(spec, "policyName"));
  checkParamRef(found, "spec.paramRef", valueAt(spec, "paramRef"));
  checkMatchResources(found, "spec.matchResources", valueAt(spec, "matchResources"));
}

/** `admissionregistration/v1.ValidatingAdmissionPolicyBinding` */
export const validatingBinding: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }) =>
    findingsOf((found) => {
      checkBinding(found, spec);
      checkActions(found, "spec.validationActions", listAt(spec, "validationActions"));
    }),
};

/** `admissionregistration/v1.MutatingAdmissionPolicyBinding` */
export const mutatingBinding: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }) =>
    findingsOf((found) => {
      checkBinding(found, spec);
      checkMutatedOperations(found, "spec.matchResources", valueAt(spec, "matchResources"));
    }),
};
