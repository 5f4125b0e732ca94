import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { dnsLabel } from "../../validation/names.ts";
import { defaultPod, defaultPodSpec } from "../pod-template.ts";
import { validatePodUpdate } from "./pod-changes.ts";
import { keepButResources } from "./pod-resize.ts";
import { validatePod, validatePodTemplate } from "./pod-rules.ts";
import { validatePodStatus } from "./pod-status.ts";
import { podWarnings } from "./pod-warnings.ts";
import { quality } from "./quality.ts";

const GRACE = 30;

function put(object: JsonObject, field: string, value: Json | undefined): void {
  if (value === undefined) delete object[field];
  else object[field] = value;
}

/** Metadata and status are no part of what these change. */
function keepRest(object: KubeObject, old: KubeObject): void {
  put(object, "status", old["status"]);
  for (const field of ["annotations", "finalizers", "labels", "ownerReferences"] as const)
    put(object.metadata, field, old.metadata[field]);
}

/** What a status does not say of what was seen of the pod stays as it was. */
function keepObserved(status: JsonObject, before: Json | undefined): void {
  if ((status["observedGeneration"] ?? 0) === 0)
    put(status, "observedGeneration", valueAt(before, "observedGeneration"));
  const known = new Map<string, Json[]>();
  for (const condition of listAt(before, "conditions")) {
    const type = textAt(condition, "type");
    known.set(type, [...(known.get(type) ?? []), valueAt(condition, "observedGeneration") ?? 0]);
  }
  for (const condition of listAt(status, "conditions")) {
    const seen = known.get(textAt(condition, "type"))?.shift() ?? 0;
    if (isObject(condition) && (condition["observedGeneration"] ?? 0) === 0 && seen !== 0)
      condition["observedGeneration"] = seen;
  }
}

function prepareUpdate(object: KubeObject, old: KubeObject, subresource: string): void {
  const { status } = object;
  if (subresource === "status") {
    put(object.metadata, "ownerReferences", old.metadata.ownerReferences);
    if (!isObject(status)) return;
    if (textAt(status, "qosClass") === "") put(status, "qosClass", valueAt(old, "status", "qosClass"));
    keepObserved(status, old["status"]);
  } else if (subresource === "ephemeralcontainers") {
    const own: JsonObject = isObject(old["spec"]) ? { ...old["spec"] } : {};
    put(own, "ephemeralContainers", valueAt(object, "spec", "ephemeralContainers"));
    object["spec"] = own;
    keepRest(object, old);
  } else if (subresource === "resize") {
    put(object, "spec", keepButResources(object["spec"], old["spec"]));
    keepRest(object, old);
  }
}

/** Nobody is told of changes: few of them are made by hand. */
function warnings({ metadata, spec }: KubeObject, old?: KubeObject): readonly string[] {
  if (old !== undefined) return [];
  const problems = dnsLabel(metadata.name ?? "");
  return [
    ...(problems.length === 0
      ? []
      : [
          `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`,
        ]),
    ...podWarnings("", metadata, spec),
  ];
}

/** `core/v1.Pod` */
export const pod: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults: (object) => defaultPod(object["spec"]),
  prepareCreate(object) {
    object["status"] = { phase: "Pending", qosClass: quality(object["spec"]) };
  },
  prepareUpdate,
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  validateStatus: validatePodStatus,
  warnings,
  gracePeriod(object, requested) {
    const hasEnded = ["Succeeded", "Failed"].includes(textAt(object, "status", "phase"));
    if (textAt(object, "spec", "nodeName") === "" || hasEnded) return 0;
    const own = valueAt(object, "spec", "terminationGracePeriodSeconds");
    const seconds = requested ?? (typeof own === "number" ? own : GRACE);
    return seconds < 0 ? 1 : seconds;
  },
};

/** `core/v1.PodTemplate` */
export const podTemplate: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults: (object) => defaultPodSpec(valueAt(object, "template", "spec")),
  validate: (object) => validatePodTemplate(object["template"], "template"),
  warnings: ({ metadata, template }, old) =>
    old !== undefined && metadata.generation === old.metadata.generation
      ? []
      : podWarnings("template.", valueAt(template, "metadata"), valueAt(template, "spec")),
};
