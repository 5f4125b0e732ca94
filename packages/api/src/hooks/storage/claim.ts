import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { qualifiedName } from "../../validation/names.ts";
import { checkBasicAmount, resourcesOf } from "../../validation/resources.ts";
import { differenceOf, sameMeaning } from "../../validation/same-meaning.ts";
import { checkClaimSpec, claimSpecWarnings } from "./claim-spec.ts";

/** Where the class was before it was a field. */
const CLASS = "volume.beta.kubernetes.io/storage-class";
const RESIZES = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
].toSorted();

const classOf = ({ spec }: KubeObject): string | undefined => {
  const name = valueAt(spec, "storageClassName");
  return typeof name === "string" ? name : undefined;
};

function put(own: JsonObject, field: string, value: Json | undefined): void {
  if (value === undefined) delete own[field];
  else own[field] = value;
}

/** A spec with what may change as it was, or, where it is given once, as it is. */
function fixed(object: KubeObject, old: KubeObject): readonly [now: JsonObject, before: JsonObject] {
  const [spec, had] = [object["spec"], old["spec"]];
  const [now, before]: [JsonObject, JsonObject] = [isObject(spec) ? { ...spec } : {}, isObject(had) ? { ...had } : {}];
  if (textAt(before, "volumeName") === "") put(before, "volumeName", now["volumeName"]);
  const [name, noted] = [classOf(object), old.metadata.annotations?.[CLASS]];
  const isGiven = name !== undefined && classOf(old) === undefined && (noted === undefined || noted === name);
  if (isGiven) delete now["storageClassName"];
  if (textAt(object, "status", "phase") !== "Bound") return [now, before];
  put(now, "volumeAttributesClassName", before["volumeAttributesClassName"]);
  const resources = now["resources"];
  if (!isObject(resources) || !isObject(resources["requests"])) return [now, before];
  const requests: JsonObject = { ...resources["requests"] };
  put(requests, "storage", valueAt(before, "resources", "requests", "storage"));
  now["resources"] = { ...resources, requests };
  return [now, before];
}

const sizeAt = (value: Json | undefined): bigint => parseQuantity(textAt(value))?.nano ?? 0n;

function checkClasses(found: Findings, object: KubeObject, old: KubeObject): void {
  const [now, before] = [object, old].map(({ metadata }) => metadata.annotations?.[CLASS]);
  const moves =
    before !== undefined && classOf(old) === undefined && classOf(object) === before && (now ?? before) === before;
  if (!moves && (now ?? "") !== (before ?? ""))
    found.invalid(`metadata.annotations.${CLASS}`, now ?? "", "field is immutable");
}

/** A claim is what it was when it was made, but for its size, and the attributes of its volume. */
function checkChange(found: Findings, object: KubeObject, old: KubeObject): void {
  checkClasses(found, object, old);
  const [now, before] = fixed(object, old);
  if (!sameMeaning(now, before)) {
    const why =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    found.forbidden("spec", `${why}\n${differenceOf(before, now)}`);
  }
  const [size, was] = [object, old].map((one) => sizeAt(valueAt(one, "spec", "resources", "requests", "storage")));
  if (
    size !== undefined &&
    was !== undefined &&
    size < was &&
    size <= sizeAt(valueAt(old, "status", "capacity", "storage"))
  )
    found.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
  found.immutable("volumeMode", valueAt(object, "spec", "volumeMode"), valueAt(old, "spec", "volumeMode"));
  const field = "volumeAttributesClassName";
  const attributes = valueAt(object, "spec", field) ?? null;
  const current = valueAt(old, "status", "currentVolumeAttributesClassName") ?? null;
  if (current === null || attributes === (valueAt(old, "spec", field) ?? null)) return;
  const why = "is forbidden when status.currentVolumeAttributesClassName is not nil";
  if (attributes === null) found.forbidden(`spec.${field}`, `update to nil ${why}`);
  else if (attributes === "") found.forbidden(`spec.${field}`, `update to empty string ${why}`);
}

const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");

/** @returns whether it is one that a claim can have */
function checkResource(found: Findings, field: string, name: string): boolean {
  const count = found.all.length;
  found.name(qualifiedName, field, name);
  if (found.all.length === count && isNative(name) && name !== "storage") found.notSupported(field, name, ["storage"]);
  return found.all.length === count;
}

function checkStatus(found: Findings, { spec, status }: KubeObject): void {
  if (listAt(spec, "accessModes").length === 0) found.required("Spec.accessModes");
  for (const [name, amount] of resourcesOf(valueAt(status, "capacity")))
    checkBasicAmount(found, `status.capacity[${name}]`, amount);
  for (const [name, state] of resourcesOf(valueAt(status, "allocatedResourceStatuses"))) {
    const field = "status.allocatedResourceStatuses";
    checkResource(found, field, name);
    if (!RESIZES.includes(textAt(state))) found.notSupported(field, name, RESIZES);
  }
  for (const [name, amount] of resourcesOf(valueAt(status, "allocatedResources"))) {
    const field = "status.allocatedResources";
    if (checkResource(found, field, name)) checkBasicAmount(found, `${field}[${name}]`, amount);
  }
}

/** `core/v1.PersistentVolumeClaim` */
export const claim: KindHooks = {
  validatesAll: true,
  prepareCreate(object) {
    object["status"] = { phase: "Pending" };
  },
  validate: ({ spec }) => findingsOf((found) => checkClaimSpec(found, "spec", spec)),
  validateUpdate: (object, old) => findingsOf((found) => checkChange(found, object, old)),
  validateStatus: (object) => findingsOf((found) => checkStatus(found, object)),
  warnings: ({ metadata, spec }) => [
    ...(metadata.annotations?.[CLASS] === undefined
      ? []
      : [`metadata.annotations[${CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`]),
    ...claimSpecWarnings("spec", spec),
  ],
};
