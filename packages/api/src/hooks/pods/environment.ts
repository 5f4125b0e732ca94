import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { configKey, dnsLabel, dnsSubdomain, variableName } from "../../validation/names.ts";
import { checkFieldReference, checkResourceReference } from "./downward.ts";
import { checkNoBacksteps } from "./paths.ts";

const FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

function checkKey(found: Findings, at: string, reference: Json): void {
  found.name(dnsSubdomain, `${at}.name`, textAt(reference, "name"));
  found.requiredName(configKey, `${at}.key`, textAt(reference, "key"));
}

function checkFileKey(found: Findings, at: string, reference: Json): void {
  found.requiredName(variableName, `${at}.key`, textAt(reference, "key"));
  found.requiredName(dnsLabel, `${at}.volumeName`, textAt(reference, "volumeName"));
  const path = textAt(reference, "path");
  if (path === "") found.required(`${at}.path`);
  else checkNoBacksteps(found, `${at}.path`, path);
}

const SOURCES: Readonly<Record<string, (found: Findings, at: string, source: Json) => void>> = {
  fieldRef: (found, at, source) => checkFieldReference(found, at, source, FIELDS),
  resourceFieldRef: (found, at, source) => checkResourceReference(found, at, source, false),
  configMapKeyRef: checkKey,
  secretKeyRef: checkKey,
  fileKeyRef: checkFileKey,
};

function checkVariable(found: Findings, at: string, variable: Json): void {
  found.requiredName(variableName, `${at}.name`, textAt(variable, "name"));
  const from = valueAt(variable, "valueFrom");
  if (!isObject(from)) return;
  const here = `${at}.valueFrom`;
  let count = 0;
  for (const [type, check] of Object.entries(SOURCES)) {
    const source = from[type];
    if (!isObject(source)) continue;
    count++;
    check(found, `${here}.${type}`, source);
  }
  if (count === 0) {
    const types = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
    found.invalid(here, "", `must specify one of: ${types}`);
  } else if (textAt(variable, "value") !== "")
    found.invalid(here, "", "may not be specified when `value` is not empty");
  else if (count > 1) found.invalid(here, "", "may not have more than one field specified at a time");
}

/** A container's variables, one by one and whole objects of them. */
export function checkEnvironment(found: Findings, at: string, container: Json): void {
  for (const [index, variable] of listAt(container, "env").entries())
    checkVariable(found, `${at}.env[${index}]`, variable);
  for (const [index, source] of listAt(container, "envFrom").entries()) {
    const prefix = textAt(source, "prefix");
    if (prefix !== "") found.name(variableName, `${at}.envFrom[${index}].prefix`, prefix);
    const given = ["configMapRef", "secretRef"].filter((type) => isObject(valueAt(source, type)));
    for (const type of given)
      found.requiredName(dnsSubdomain, `${at}.envFrom[${index}].${type}.name`, textAt(source, type, "name"));
    if (given.length === 0) found.invalid(`${at}.envFrom`, "", "must specify one of: `configMapRef` or `secretRef`");
    else if (given.length > 1)
      found.invalid(`${at}.envFrom`, "", "may not have more than one field specified at a time");
  }
}
