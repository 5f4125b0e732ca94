import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import { formatQuantity, parseQuantity } from "../../object/quantity.ts";
import type { Findings } from "../../validation/findings.ts";
import { qualifiedName } from "../../validation/names.ts";
import { checkMode, checkOwnPath } from "./paths.ts";

const RESOURCES = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const SIZES = "1 1k 1M 1G 1T 1P 1E 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei".split(" ");
const SUBSCRIPTED = /^(?<path>.*)\['(?<key>.*)'\]$/;
/** Fields that the API calls by their names; others are not known at all. */
const FIELDS = new Set([
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.serviceAccountName",
  "spec.schedulerName",
  "status.phase",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
  "spec.host",
]);

/** `core/v1.ObjectFieldSelector` @param known fields that may be asked for here, in order */
export function checkFieldReference(found: Findings, at: string, reference: Json, known: readonly string[]): void {
  const [version, path] = [textAt(reference, "apiVersion"), textAt(reference, "fieldPath")];
  if (version === "" || path === "") {
    found.required(version === "" ? `${at}.apiVersion` : `${at}.fieldPath`);
    return;
  }
  const { path: base, key = "" } = SUBSCRIPTED.exec(path)?.groups ?? {};
  const problem =
    version !== "v1"
      ? `unsupported pod version: ${version}`
      : !FIELDS.has(base ?? path)
        ? `field label not supported: ${base ?? path}`
        : undefined;
  if (problem !== undefined) found.invalid(`${at}.fieldPath`, path, `error converting fieldPath: ${problem}`);
  else if (base === "metadata.annotations") found.name(qualifiedName, at, key.toLowerCase());
  else if (base === "metadata.labels") found.name(qualifiedName, at, key);
  else if (base !== undefined) found.invalid(at, base, "does not support subscript");
  else if (!known.includes(path)) found.notSupported(`${at}.fieldPath`, path, known);
}

function divisorProblem(resource: string, divisor: string): string | undefined {
  const [, name = ""] = resource.split(/\.(?<rest>.*)/s);
  if (name === "cpu")
    return ["1", "1m"].includes(divisor)
      ? undefined
      : "only divisor's values 1m and 1 are supported with the cpu resource";
  const shown = name.startsWith("hugepages-")
    ? "hugepages"
    : { memory: "memory", "ephemeral-storage": "local ephemeral storage" }[name];
  return shown === undefined || SIZES.includes(divisor)
    ? undefined
    : `only divisor's values ${SIZES.join(", ")} are supported with the ${shown} resource`;
}

/** `core/v1.ResourceFieldSelector` @param inVolume where it must say of which container */
export function checkResourceReference(found: Findings, at: string, reference: Json, inVolume: boolean): void {
  const resource = textAt(reference, "resource");
  if (inVolume && textAt(reference, "containerName") === "") found.required(`${at}.containerName`);
  else if (resource === "") found.required(`${at}.resource`);
  else if (!RESOURCES.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource))
    found.notSupported(`${at}.resource`, resource, RESOURCES);
  const divisor = parseQuantity(textAt(reference, "divisor"));
  if (divisor === undefined || divisor.nano === 0n) return;
  const problem = divisorProblem(resource, formatQuantity(divisor));
  if (problem !== undefined) found.invalid(`${at}.divisor`, resource, problem);
}

const IN_FILES = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/** `core/v1.DownwardAPIVolumeFile` */
export function checkDownwardFile(found: Findings, at: string, file: Json): void {
  const path = textAt(file, "path");
  if (path === "") found.required(`${at}.path`);
  checkOwnPath(found, `${at}.path`, path);
  const [field, resource] = [valueAt(file, "fieldRef"), valueAt(file, "resourceFieldRef")];
  if (isObject(field)) {
    checkFieldReference(found, `${at}.fieldRef`, field, IN_FILES);
    if (isObject(resource))
      found.invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
  } else if (isObject(resource)) checkResourceReference(found, `${at}.resourceFieldRef`, resource, true);
  else found.required(at, "one of fieldRef and resourceFieldRef is required");
  checkMode(found, `${at}.mode`, valueAt(file, "mode"));
}
