import { deepEqual, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { FieldError } from "../../status/field-error.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkTolerations } from "../../validation/tolerations.ts";
import { validateAnnotations } from "../../validation/validate-metadata.ts";
import { checkPodSpec } from "./pod-spec.ts";

const MIRROR = "kubernetes.io/config.mirror";
const COST = "controller.kubernetes.io/pod-deletion-cost";

/** What annotations say of a pod. */
function checkAnnotations(found: Findings, at: string, annotations: Json | undefined, spec: Json | undefined): void {
  if (!isObject(annotations)) return;
  const [mirror, cost] = [annotations[MIRROR], annotations[COST]];
  if (mirror !== undefined && textAt(spec, "nodeName") === "")
    found.invalid(`${at}[${MIRROR}]`, mirror, "must set spec.nodeName if mirror pod annotation is set");
  const number = Number(cost ?? 0);
  const isWhole = typeof cost !== "string" || /^(0|-?[1-9]\d*)$/.test(cost);
  if (!isWhole || number < -(2 ** 31) || number >= 2 ** 31)
    found.invalid(`${at}[${COST}]`, cost, "must be a 32bit integer");
}

/** Accounts' tokens are of the pod's account. */
function checkTokens(found: Findings, spec: Json | undefined): void {
  if (textAt(spec, "serviceAccountName") !== "") return;
  for (const [index, volume] of listAt(spec, "volumes").entries()) {
    for (const [place, source] of listAt(volume, "projected", "sources").entries()) {
      const field = `spec.volumes[${index}].projected.sources[${place}].serviceAccountToken`;
      if (isObject(valueAt(source, "serviceAccountToken")))
        found.forbidden(field, "must not be specified when serviceAccountName is not set");
    }
  }
}

/** `core/v1.Pod` */
export function validatePod({ metadata, spec }: KubeObject, old?: KubeObject): readonly FieldError[] {
  return findingsOf((found) => {
    checkAnnotations(found, "metadata.annotations", metadata.annotations, spec);
    checkPodSpec(found, "spec", spec, { metadata });
    checkTokens(found, spec);
    if (old !== undefined) return;
    if (listAt(spec, "ephemeralContainers").length > 0)
      found.forbidden("spec.ephemeralContainers", "cannot be set on create");
    if (textAt(spec, "nodeName") !== "" && listAt(spec, "schedulingGates").length > 0)
      found.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
  });
}

/** `core/v1.PodTemplateSpec` @param at e.g. `spec.template`, below which messages leave `metadata` out */
export function validatePodTemplate(template: Json | undefined, at: string): readonly FieldError[] {
  return findingsOf((found) => {
    const spec = valueAt(template, "spec");
    const annotations = valueAt(template, "metadata", "annotations");
    found.labels(`${at}.labels`, valueAt(template, "metadata", "labels"));
    found.add(...validateAnnotations(annotations, `${at}.annotations`));
    checkAnnotations(found, `${at}.annotations`, annotations, spec);
    checkPodSpec(found, `${at}.spec`, spec);
    if (listAt(spec, "ephemeralContainers").length > 0)
      found.forbidden(`${at}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template");
  });
}

const LONGEST_DEADLINE = 2 ** 31 - 1;

/** @returns whether the rest is to be looked at */
function checkDeadline(found: Findings, spec: Json | undefined, before: Json | undefined): boolean {
  const field = "spec.activeDeadlineSeconds";
  const [now, old] = [spec, before].map((one) => valueAt(one, "activeDeadlineSeconds") ?? null);
  if (typeof now !== "number") {
    if (typeof old === "number") found.invalid(field, null, "must not update from a positive integer to nil value");
    return true;
  }
  const count = found.all.length;
  found.between(field, now, 0, LONGEST_DEADLINE);
  if (found.all.length === count && typeof old === "number" && old < now)
    found.invalid(field, now, "must be less than or equal to previous value");
  return found.all.length === count;
}

const untimed = (toleration: Json): JsonObject => {
  const { tolerationSeconds: _, ...rest } = toleration as JsonObject;
  return rest;
};

function checkAdded(found: Findings, now: readonly Json[], before: readonly Json[]): void {
  const field = "spec.tolerations";
  if (before.every((old) => now.some((one) => deepEqual(untimed(one), untimed(old)))))
    checkTolerations(found, field, now);
  else found.forbidden(field, "existing toleration can not be modified except its tolerationSeconds");
}

function checkGates(found: Findings, now: readonly Json[], before: readonly Json[]): void {
  const known = new Set(before.map((gate) => textAt(gate, "name")));
  for (const [index, gate] of now.entries()) {
    const name = textAt(gate, "name");
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    if (!known.has(name)) found.forbidden(`spec.schedulingGates[${index}].name`, why);
  }
}

const FREE = ["activeDeadlineSeconds", "tolerations", "schedulingGates", "nodeName", "ephemeralContainers"];
const CHANGEABLE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** What may not change, at all. */
function fixed({ spec }: KubeObject, old: KubeObject): JsonObject {
  const own: JsonObject = { ...(spec as JsonObject) };
  for (const field of FREE) delete own[field];
  const grace = valueAt(old, "spec", "terminationGracePeriodSeconds");
  const shortened = own["terminationGracePeriodSeconds"] === 1 && typeof grace === "number" && grace < 0;
  if (shortened) own["terminationGracePeriodSeconds"] = grace;
  for (const field of ["containers", "initContainers"]) {
    if (own[field] === undefined) continue;
    own[field] = listAt(own, field).map((one) => ({ ...(one as JsonObject), image: "", resources: {} }));
  }
  return own;
}

/** Of a pod only these may change, and tolerations may be added. */
export function validatePodUpdate(object: KubeObject, old: KubeObject): readonly FieldError[] {
  return findingsOf((found) => {
    for (const list of ["containers", "initContainers"]) {
      if (listAt(object, "spec", list).length === listAt(old, "spec", list).length) continue;
      found.forbidden(`spec.${list}`, "pod updates may not add or remove containers");
      return;
    }
    const { spec } = object;
    if (!checkDeadline(found, spec, old["spec"])) return;
    checkAdded(found, listAt(spec, "tolerations"), listAt(old, "spec", "tolerations"));
    checkGates(found, listAt(spec, "schedulingGates"), listAt(old, "spec", "schedulingGates"));
    if (!deepEqual(fixed(object, old), fixed(old, old))) found.forbidden("spec", CHANGEABLE);
  });
}
