import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, invalid, notSupported, required } from "../status/field-error.ts";

/** Defaults of a pod that a template has none of: a template stays as it was written. */
export function defaultPod(spec: Json | undefined): void {
  defaultPodSpec(spec);
  if (!isObject(spec)) return;
  spec["enableServiceLinks"] ??= true;
  for (const container of [...listAt(spec, "initContainers"), ...listAt(spec, "containers")]) {
    if (!isObject(container)) continue;
    defaultRequests(container);
    if (spec["hostNetwork"] !== true) continue;
    for (const port of listAt(container, "ports")) if (isObject(port)) port["hostPort"] ??= port["containerPort"] ?? 0;
  }
}

/** Defaults of a pod's spec that depend on other fields. */
export function defaultPodSpec(spec: Json | undefined): void {
  if (!isObject(spec)) return;
  for (const container of allContainers(spec)) {
    if (!isObject(container)) continue;
    container["imagePullPolicy"] ??= pullPolicy(textAt(container, "image"));
  }
  const account = textAt(spec, "serviceAccountName") || textAt(spec, "serviceAccount");
  if (account !== "") {
    spec["serviceAccountName"] = account;
    spec["serviceAccount"] = account;
  }
  for (const volume of listAt(spec, "volumes")) {
    // A volume of no kind is an empty directory.
    if (isObject(volume) && Object.keys(volume).length === 1) volume["emptyDir"] = {};
  }
}

function allContainers(spec: JsonObject): readonly Json[] {
  return [...listAt(spec, "initContainers"), ...listAt(spec, "containers"), ...listAt(spec, "ephemeralContainers")];
}

/** `Always` for the tag latest and for none. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:(?<tag>[^:/]+)$/.exec(image)?.groups?.["tag"] ?? "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultRequests(container: JsonObject): void {
  const limits = valueAt(container, "resources", "limits");
  if (!isObject(limits)) return;
  const resources = container["resources"] as JsonObject;
  const requests = isObject(resources["requests"]) ? resources["requests"] : {};
  for (const [name, value] of Object.entries(limits))
    if (!Object.hasOwn(requests, name)) setField(requests, name, value ?? null);
  resources["requests"] = requests;
}

export function oneOf(
  value: Json | undefined,
  field: string,
  path: string,
  choices: readonly string[],
): readonly FieldError[] {
  const found = valueAt(value, field);
  return found === undefined || choices.includes(textAt(found))
    ? []
    : [notSupported(`${path}.${field}`, found, choices.toSorted())];
}

export function portNumber(value: Json | undefined, field: string, path: string): readonly FieldError[] {
  const port = valueAt(value, field);
  if (port === undefined) return [required(`${path}.${field}`)];
  return typeof port === "number" && port >= 1 && port <= 65535
    ? []
    : [invalid(`${path}.${field}`, port, "must be between 1 and 65535, inclusive")];
}
