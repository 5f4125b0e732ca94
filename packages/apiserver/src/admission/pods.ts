import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from "@boxship/api";
import type { AdmissionRequest } from "../contract.ts";

/** The spec of a pod that is about to be made; undefined for any other write. */
export function newPodSpec({ kind, operation, subresource, object }: AdmissionRequest): JsonObject | undefined {
  if (kind.group !== "" || kind.resource !== "pods" || operation !== "CREATE" || subresource !== "") return undefined;
  const spec = object?.["spec"];
  return isObject(spec) ? spec : undefined;
}

/** Those that run in the end, and those that run before them. */
export function containersOf(spec: JsonObject): readonly JsonObject[] {
  return [...listAt(spec, "initContainers"), ...listAt(spec, "containers")].filter(isObject);
}

const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  "/podtemplates": ["template"],
  "/replicationcontrollers": ["spec", "template"],
  "apps/daemonsets": ["spec", "template"],
  "apps/deployments": ["spec", "template"],
  "apps/replicasets": ["spec", "template"],
  "apps/statefulsets": ["spec", "template"],
  "batch/cronjobs": ["spec", "jobTemplate", "spec", "template"],
  "batch/jobs": ["spec", "template"],
};

/** The template of pods in an object that makes some. */
export function podTemplate(
  { group, resource }: AdmissionRequest["kind"],
  object: KubeObject | null,
): JsonObject | undefined {
  const path = TEMPLATES[`${group}/${resource}`];
  const template = path === undefined || object === null ? undefined : valueAt(object, ...path);
  return isObject(template) ? template : undefined;
}
