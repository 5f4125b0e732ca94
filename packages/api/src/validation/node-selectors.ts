import { isObject, type Json } from "../object/json.ts";
import { listAt, textAt } from "../object/kube-object.ts";
import type { Findings } from "./findings.ts";
import { dnsSubdomain, labelValue, qualifiedName } from "./names.ts";

/** `core/v1.NodeSelector` @param anyValues values that no label has may be asked for */
export function checkNodeSelector(found: Findings, at: string, selector: Json | undefined, anyValues = false): void {
  const terms = listAt(selector, "nodeSelectorTerms");
  if (terms.length === 0) found.required(`${at}.nodeSelectorTerms`, "must have at least one node selector term");
  for (const [index, term] of terms.entries())
    checkNodeTerm(found, `${at}.nodeSelectorTerms[${index}]`, term, anyValues);
}

export function checkNodeTerm(found: Findings, at: string, term: Json | undefined, anyValues = false): void {
  for (const [index, one] of listAt(term, "matchExpressions").entries())
    checkLabels(found, `${at}.matchExpressions[${index}]`, one, anyValues);
  for (const [index, one] of listAt(term, "matchFields").entries())
    checkFields(found, `${at}.matchFields[${index}]`, one);
}

const valuesOf = (requirement: Json): readonly string[] => listAt(requirement, "values").map((value) => textAt(value));

function checkLabels(found: Findings, at: string, requirement: Json, anyValues: boolean): void {
  const operator = textAt(requirement, "operator");
  const values = valuesOf(requirement);
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) found.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0)
        found.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1)
        found.required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
      break;
    default:
      found.invalid(`${at}.operator`, operator, "not a valid selector operator");
  }
  found.name(qualifiedName, `${at}.key`, textAt(requirement, "key"));
  if (anyValues) return;
  for (const [index, value] of values.entries()) found.name(labelValue, `${at}.values[${index}]`, value);
}

/** A node's name is the only field. */
function checkFields(found: Findings, at: string, requirement: Json): void {
  const [operator, key] = [textAt(requirement, "operator"), textAt(requirement, "key")];
  const values = valuesOf(requirement);
  if (operator !== "In" && operator !== "NotIn")
    found.invalid(`${at}.operator`, operator, "not a valid selector operator");
  else if (values.length !== 1)
    found.required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  if (key !== "metadata.name") found.invalid(`${at}.key`, key, "not a valid field selector key");
  else for (const [index, value] of values.entries()) found.name(dnsSubdomain, `${at}.values[${index}]`, value);
}

const OLD_LABELS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  "app.kubernetes.io/created-by": "deprecated since v1.9",
  "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
  "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
};

/** What is to be used in place of a node's label; undefined where that is in use. */
export const oldLabel = (key: string): string | undefined =>
  Object.hasOwn(OLD_LABELS, key) ? OLD_LABELS[key] : undefined;

/** Of a label selector's requirements, or of a term's. */
export const oldLabelWarnings = (at: string, selector: Json | undefined): readonly string[] =>
  listAt(selector, "matchExpressions").flatMap((one, index) => {
    const key = textAt(one, "key");
    const instead = oldLabel(key);
    return instead === undefined ? [] : [`${at}.matchExpressions[${index}].key: ${key} is ${instead}`];
  });

/** Of labels that a node is to have; `shown` makes a label's place. */
export const oldKeyWarnings = (labels: Json | undefined, shown: (key: string) => string): readonly string[] =>
  Object.keys(isObject(labels) ? labels : {}).flatMap((key) => {
    const instead = oldLabel(key);
    return instead === undefined ? [] : [`${shown(key)}: ${instead}`];
  });
