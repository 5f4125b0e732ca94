import type { Resource } from "@boxship/client";
import type { SharedInformers } from "../frame/shared-informers.ts";
import { controllerOf } from "../shared/owners.ts";
import { isActive } from "../shared/pods.ts";
import { PODS } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { ReplicaSet } from "../types/workloads.ts";

/** How many pods are on each node of all sets that have the same controller, e.g. of all versions of a Deployment. */
export function onNodes(informers: SharedInformers, resource: Resource, set: ReplicaSet): ReadonlyMap<string, number> {
  const controller = controllerOf(set)?.uid;
  const sets = informers.of<ReplicaSet>(resource);
  const related = controller === undefined ? [set] : sets.find("controller", controller);
  const counts = new Map<string, number>();
  for (const { metadata } of related) {
    for (const pod of informers.of<Pod>(PODS).find("controller", metadata.uid ?? "")) {
      const node = pod.spec?.nodeName ?? "";
      if (isActive(pod) && node !== "") counts.set(node, (counts.get(node) ?? 0) + 1);
    }
  }
  return counts;
}
