import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";
import type { FieldError } from "../../status/field-error.ts";
import { checkAddress, parseLoosely } from "../../validation/addresses.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain, qualifiedName } from "../../validation/names.ts";
import { resourcesOf } from "../../validation/resources.ts";
import { checkAnnotationChanges } from "./pod-changes.ts";
import { checkId } from "./security.ts";

const OWN_CONDITIONS = new Set(["Initialized", "PodScheduled", "Ready"]);
const NOT_NEGATIVE = "must be a non-negative integer";
const HEALTH = ["Healthy", "Unhealthy", "Unknown"];
const LONGEST_MESSAGE = 8192;

/** The statuses of which containers, by their list in the spec. */
const STATUSES = [
  ["containerStatuses", "containers"],
  ["initContainerStatuses", "initContainers"],
  ["ephemeralContainerStatuses", "ephemeralContainers"],
] as const;

function checkConditions(found: Findings, status: Json | undefined): void {
  for (const [index, condition] of listAt(status, "conditions").entries()) {
    const observed = valueAt(condition, "observedGeneration");
    const at = `status.conditions[${index}]`;
    if (typeof observed === "number" && observed < 0) found.invalid(`${at}.observedGeneration`, observed, NOT_NEGATIVE);
    const type = textAt(condition, "type");
    if (!OWN_CONDITIONS.has(type)) found.name(qualifiedName, `${at}.Type`, type);
  }
}

function checkNominated(found: Findings, { status }: KubeObject, old: KubeObject): void {
  const field = "status.nominatedNodeName";
  const [name, before] = [textAt(status, "nominatedNodeName"), textAt(old, "status", "nominatedNodeName")];
  if (name === "" || name === before) return;
  found.name(dnsSubdomain, field, name);
  if (textAt(old, "spec", "nodeName") !== "")
    found.forbidden(field, "may not be set on pods that are already bound to a node");
}

const hasEnded = (status: Json): boolean => isObject(valueAt(status, "state", "terminated"));

/** Whether a container that ended so is started again: by its rules, its own policy, or the pod's. */
function startsAgain(container: Json, spec: Json | undefined, code: number): boolean {
  const policy = valueAt(container, "restartPolicy");
  if (typeof policy === "string") {
    const rule = listAt(container, "restartPolicyRules").find((one) => {
      const hit = listAt(one, "exitCodes", "values").some((value) => value === code);
      const operator = textAt(one, "exitCodes", "operator");
      return operator === "In" ? hit : operator === "NotIn" && !hit;
    });
    if (["Restart", "RestartAllContainers"].includes(textAt(rule ?? null, "action"))) return true;
  }
  const wanted = [policy, valueAt(spec, "restartPolicy")].find((one) =>
    ["Always", "Never", "OnFailure"].includes(textAt(one)),
  );
  return wanted === "OnFailure" ? code !== 0 : wanted !== "Never";
}

/** A container that has ended for good does not come back. */
function checkStates(found: Findings, { status }: KubeObject, old: KubeObject): void {
  const { spec } = old;
  const anyRestartsAll = ["initContainers", "containers"].some((list) =>
    listAt(spec, list).some((container) =>
      listAt(container, "restartPolicyRules").some((rule) => textAt(rule, "action") === "RestartAllContainers"),
    ),
  );
  for (const [field, list] of STATUSES) {
    const isAdded = list === "ephemeralContainers";
    if (anyRestartsAll && !isAdded) continue;
    const containers = isAdded ? [] : listAt(spec, list);
    for (const [index, before] of listAt(old, "status", field).entries()) {
      if (!hasEnded(before)) continue;
      const name = textAt(before, "name");
      const now = listAt(status, field).find((one) => textAt(one, "name") === name && !hasEnded(one));
      if (now === undefined) continue;
      const container = containers.find((one) => textAt(one, "name") === name);
      const code = Number(valueAt(before, "state", "terminated", "exitCode") ?? 0);
      if (container === undefined || !startsAgain(container, spec, code))
        found.forbidden(`status.${field}[${index}].state`, "may not be transitioned to non-terminated state");
    }
  }
}

function checkClaims(found: Findings, { spec, status }: KubeObject): void {
  const names = new Set(listAt(spec, "resourceClaims").map((one) => textAt(one, "name")));
  const seen = new Set<string>();
  for (const [index, one] of listAt(status, "resourceClaimStatuses").entries()) {
    const at = `status.resourceClaimStatuses[${index}]`;
    const name = textAt(one, "name");
    if (!names.has(name)) found.invalid(`${at}.name`, name, "must match the name of an entry in `spec.resourceClaims`");
    if (seen.has(name)) found.duplicate(`${at}.name`, name);
    seen.add(name);
    const claim = valueAt(one, "resourceClaimName");
    if (typeof claim === "string") found.name(dnsSubdomain, `${at}.resourceClaimName`, claim);
  }
}

function checkExtended(found: Findings, { spec, status }: KubeObject): void {
  const extended = valueAt(status, "extendedResourceClaimStatus");
  if (!isObject(extended)) return;
  const at = "status.extendedResourceClaimStatus";
  const containers = new Map(
    ["initContainers", "containers"].flatMap((list) => listAt(spec, list).map((one) => [textAt(one, "name"), one])),
  );
  const mappings = listAt(extended, "requestMappings");
  if (mappings.length === 0) found.required(`${at}.requestMappings`, "at least one request mapping is required");
  const seen = new Set<string>();
  for (const [index, mapping] of mappings.entries()) {
    const here = `${at}.requestMappings[${index}]`;
    const fields = ["containerName", "resourceName", "requestName"] as const;
    const [name = "", resource = "", request = ""] = fields.map((field) => textAt(mapping, field));
    const container = containers.get(name);
    if (container === undefined) {
      const why = "must match the name of an entry in spec.initContainers.name or spec.containers.name";
      found.invalid(`${here}.containerName`, name, why);
    } else if (valueAt(container, "resources", "requests", resource) === undefined) {
      const why =
        "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests";
      found.invalid(`${here}.resourceName`, resource, why);
    }
    found.name(dnsLabel, `${at}.requestName`, request);
    const key = JSON.stringify([name, resource, request]);
    if (seen.has(key)) for (const field of fields) found.duplicate(`${here}.${field}`, textAt(mapping, field));
    seen.add(key);
  }
  found.requiredName(dnsSubdomain, `${at}.resourceClaimName`, textAt(extended, "resourceClaimName"));
}

const NATIVE = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");

function checkAllocatable(found: Findings, { spec, status }: KubeObject): void {
  const known = [...listAt(spec, "resourceClaims"), ...listAt(status, "resourceClaimStatuses")].map((one) =>
    textAt(one, "resourceClaimName"),
  );
  for (const [index, one] of listAt(status, "nodeAllocatableResourceClaimStatuses").entries()) {
    const at = `status.nodeAllocatableResourceClaimStatuses[${index}]`;
    const name = textAt(one, "resourceClaimName");
    if (name === "") found.required(`${at}.resourceClaimName`, "must not be empty");
    if (!known.includes(name) || name === "")
      found.invalid(`${at}.resourceClaimName`, name, "no mapping found in pod reference");
    if (listAt(one, "containers").length === 0) found.required(`${at}.containers`, "must not be empty");
    const amounts = resourcesOf(valueAt(one, "resources"));
    if (amounts.length === 0) found.required(`${at}.resources`, "must not be empty");
    for (const [resource, amount] of amounts) {
      const field = `${at}.resources[${resource}]`;
      if (!NATIVE(resource)) found.invalid(field, resource, "must be a node allocatable resource name");
      if ((parseQuantity(textAt(amount))?.nano ?? 0n) < 0n) found.invalid(field, amount, "must be non-negative");
    }
  }
}

/** The addresses of a pod or of its node: at most one of each family. */
function checkAddresses(found: Findings, object: KubeObject, old: KubeObject, field: string): void {
  const own = (one: KubeObject): readonly string[] => listAt(one, "status", field).map((item) => textAt(item, "ip"));
  const [addresses, known] = [own(object), own(old)];
  if (field === "hostIPs" && addresses.length > 0 && textAt(object, "status", "hostIP") !== addresses[0])
    found.invalid("status.hostIPs[0].ip", addresses[0], "must be equal to `hostIP`");
  for (const [index, address] of addresses.entries()) checkAddress(found, `status.${field}[${index}]`, address, known);
  if (addresses.length < 2) return;
  const families = new Set(addresses.map((address) => parseLoosely(address)?.family));
  if (addresses.length > 2 || families.size < 2)
    found.invalid(
      `status.${field}`,
      valueAt(object, "status", field),
      "may specify no more than one IP for each IP family",
    );
}

function checkUsers(found: Findings, { spec, status }: KubeObject): void {
  const isWindows = textAt(spec, "os", "name") === "windows";
  for (const [field] of STATUSES) {
    for (const [index, one] of listAt(status, field).entries()) {
      const user = valueAt(one, "user", "linux");
      const at = `status.${field}[${index}].user.linux`;
      if (!isObject(user)) continue;
      if (isWindows) {
        found.forbidden(at, "cannot be set for a windows pod");
        continue;
      }
      for (const id of ["uid", "gid"]) checkId(found, `${at}.${id}`, user[id]);
      for (const [place, group] of listAt(user, "supplementalGroups").entries())
        checkId(found, `${at}.supplementalGroups[${place}]`, group);
    }
  }
}

/** Whether a resource that was given is one that the container asked for. */
function allocationProblem(container: Json, name: string): string | undefined {
  if (!name.startsWith("claim:")) {
    const asked = valueAt(container, "resources", "requests", name) !== undefined;
    return asked ? undefined : "must match one of the container's resource requests";
  }
  const claims = listAt(container, "resources", "claims").map((claim) => {
    const request = textAt(claim, "request");
    return `claim:${textAt(claim, "name")}${request === "" ? "" : `/${request}`}`;
  });
  return claims.includes(name)
    ? undefined
    : "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
}

function checkAllocated(found: Findings, { spec, status }: KubeObject): void {
  for (const [field, list] of STATUSES) {
    for (const [index, one] of listAt(status, field).entries()) {
      const at = `status.${field}[${index}].allocatedResourcesStatus`;
      const allocated = listAt(one, "allocatedResourcesStatus");
      if (list === "ephemeralContainers") {
        if (allocated.length > 0) found.forbidden(at, "must not be specified in container status");
        continue;
      }
      const container = listAt(spec, list).find((other) => textAt(other, "name") === textAt(one, "name"));
      for (const [place, given] of allocated.entries()) {
        const name = textAt(given, "name");
        const problem = container === undefined ? undefined : allocationProblem(container, name);
        if (problem !== undefined) found.invalid(`${at}[${place}].name`, name, problem);
        checkHealth(found, `${at}[${place}].resources`, listAt(given, "resources"));
      }
    }
  }
}

function checkHealth(found: Findings, at: string, resources: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, resource] of resources.entries()) {
    const here = `${at}[${index}]`;
    found.oneOf(`${here}.health`, textAt(resource, "health"), HEALTH);
    const message = valueAt(resource, "message");
    if (message === "") found.required(`${here}.message`, "must be non-empty if specified");
    else if (typeof message === "string" && Buffer.byteLength(message) > LONGEST_MESSAGE)
      found.tooLong(`${here}.message`, LONGEST_MESSAGE);
    const id = textAt(resource, "resourceID");
    if (seen.has(id)) found.duplicate(`${here}.resourceID`, id);
    seen.add(id);
  }
}

/** `core/v1.PodStatus` */
export function validatePodStatus(object: KubeObject, old: KubeObject): readonly FieldError[] {
  const { status } = object;
  return findingsOf((found) => {
    checkAnnotationChanges(found, object, old);
    checkConditions(found, status);
    checkNominated(found, object, old);
    const observed = valueAt(status, "observedGeneration");
    if (typeof observed === "number" && observed < 0)
      found.invalid("status.observedGeneration", observed, NOT_NEGATIVE);
    found.immutable("status.qosClass", valueAt(status, "qosClass"), valueAt(old, "status", "qosClass"));
    checkStates(found, object, old);
    checkClaims(found, object);
    checkExtended(found, object);
    checkAllocatable(found, object);
    checkAddresses(found, object, old, "podIPs");
    checkAddresses(found, object, old, "hostIPs");
    checkUsers(found, object);
    checkAllocated(found, object);
  });
}
