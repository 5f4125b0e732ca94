import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { FieldError } from "../../status/field-error.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { validateAnnotations } from "../../validation/validate-metadata.ts";
import { checkOldAnnotations, checkProfiles } from "./old-annotations.ts";
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
  checkOldAnnotations(found, at, annotations, spec);
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
    checkProfiles(found, "spec", metadata.annotations, spec);
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
    checkProfiles(found, `${at}.spec`, annotations, spec);
    if (listAt(spec, "ephemeralContainers").length > 0)
      found.forbidden(`${at}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template");
  });
}
