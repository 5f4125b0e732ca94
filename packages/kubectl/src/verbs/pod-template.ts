import { type Json, type JsonObject, type KubeObject, valueAt } from "@boxship/api";

/** Where a kind has its pods' description. */
export function podPath(kind: string): readonly string[] | undefined {
  switch (kind) {
    case "Pod":
      return [];
    case "CronJob":
      return ["spec", "jobTemplate", "spec", "template"];
    case "DaemonSet":
    case "Deployment":
    case "Job":
    case "ReplicaSet":
    case "ReplicationController":
    case "StatefulSet":
      return ["spec", "template"];
    default:
      return undefined;
  }
}

export function podSpecOf(object: KubeObject): Json | undefined {
  const path = podPath(object.kind);
  return path === undefined ? undefined : valueAt(object, ...path, "spec");
}

/** A patch with something at the place of the pods' description. */
export function atPods(kind: string, value: JsonObject): JsonObject {
  let patch = value;
  for (const field of [...(podPath(kind) ?? [])].reverse()) patch = { [field]: patch };
  return patch;
}
