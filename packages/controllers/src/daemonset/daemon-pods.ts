import type { JsonObject } from "@boxship/api";
import { listAt, textAt, tolerates } from "@boxship/api";
import { HASH_OF_PODS } from "../revisions/revisions.ts";
import { podPrefix } from "../shared/long-names.ts";
import { fitsNode } from "../shared/node-fit.ts";
import { podOfTemplate } from "../shared/pods.ts";
import type { Pod, Toleration } from "../types/pod.ts";
import type { DaemonSet, Node } from "../types/sets.ts";

const PATH = ["nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"] as const;

/** What every daemon pod puts up with. */
const TOLERATIONS: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];

const WITHOUT_NETWORK: Toleration = {
  key: "node.kubernetes.io/network-unavailable",
  operator: "Exists",
  effect: "NoSchedule",
};

/** The node that a pod is on, or is made for. */
export function nodeOf({ spec }: Pod): string {
  if ((spec?.nodeName ?? "") !== "") return spec?.nodeName ?? "";
  for (const term of listAt(spec?.affinity, ...PATH)) {
    for (const field of listAt(term, "matchFields")) {
      if (textAt(field, "key") === "metadata.name") return textAt(listAt(field, "values")[0]);
    }
  }
  return "";
}

export interface Placement {
  /** A pod belongs there. */
  readonly should: boolean;
  /** A pod that is there may stay. */
  readonly mayStay: boolean;
}

/** What a node is to a daemon set. */
export function placementOn(set: DaemonSet, node: Node): Placement {
  const spec = podOfTemplate(set.spec?.template ?? {}).spec ?? {};
  if (!fitsNode(spec, node)) return { should: false, mayStay: false };
  const tolerations = [...(spec.tolerations ?? []), ...tolerationsOf(set)];
  const taints = (node.spec?.taints ?? []).filter((taint) => !tolerations.some((one) => tolerates(one, taint)));
  const mayStay = !taints.some(({ effect }) => effect === "NoExecute");
  return { should: mayStay && !taints.some(({ effect }) => effect === "NoSchedule"), mayStay };
}

function tolerationsOf({ spec }: DaemonSet): readonly Toleration[] {
  return spec?.template?.spec?.["hostNetwork"] === true ? [...TOLERATIONS, WITHOUT_NETWORK] : TOLERATIONS;
}

/** What is put up with for a while by the template is put up with for ever. */
function withTolerations(own: readonly Toleration[], more: readonly Toleration[]): Toleration[] {
  const isSame = (one: Toleration, other: Toleration): boolean =>
    (["key", "operator", "value", "effect"] as const).every((field) => (one[field] ?? "") === (other[field] ?? ""));
  const missing = more.filter((one) => !own.some((other) => isSame(one, other)));
  return [...own.map((one) => more.find((other) => isSame(one, other)) ?? one), ...missing];
}

/** A pod of the set for one node. */
export function podFor(set: DaemonSet, node: string, hash: string): Pod {
  const pod = podOfTemplate(set.spec?.template ?? {});
  pod.metadata.generateName = podPrefix(set.metadata.name ?? "");
  pod.metadata.labels = { ...pod.metadata.labels, [HASH_OF_PODS]: hash };
  const spec = (pod.spec ??= {});
  spec.tolerations = withTolerations(spec.tolerations ?? [], tolerationsOf(set));
  const affinity: JsonObject = { ...spec.affinity };
  const nodeAffinity = { ...(affinity["nodeAffinity"] as JsonObject | undefined) };
  nodeAffinity[PATH[1]] = {
    nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
  };
  spec.affinity = { ...affinity, nodeAffinity };
  return pod;
}
