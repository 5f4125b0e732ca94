import { compileNodeWishes } from "@boxship/api";
import type { PodSpec } from "../types/pod.ts";
import type { Node } from "../types/sets.ts";

/** Whether the pod's node name, selector and required affinity let it be on a node. */
export function fitsNode(spec: PodSpec, node: Node): boolean {
  const { name = "", labels = {} } = node.metadata;
  if ((spec.nodeName ?? "") !== "" && spec.nodeName !== name) return false;
  // The server has checked its shape.
  return compileNodeWishes(spec)?.({ name, labels }) ?? true;
}
