import { conditionOf, isReady, millisecondsOf } from "../shared/pods.ts";
import type { Pod } from "../types/pod.ts";

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The order in which pods are deleted when there are too many: on no node yet, pending, not ready, cheap to delete, on
 * a node with many of their kind, ready since recently, often restarted, young.
 *
 * @param onNode how many pods of the same kind are on a node
 */
export function rankForDeletion(pods: readonly Pod[], onNode: ReadonlyMap<string, number>, now: number): Pod[] {
  const ranked = pods.map((pod) => ({ pod, rank: rankOf(pod, onNode, now) }));
  ranked.sort((left, right) => {
    for (const [at, value] of left.rank.entries()) {
      const difference = value - (right.rank[at] ?? 0);
      if (difference !== 0) return difference;
    }
    return (left.pod.metadata.uid ?? "") < (right.pod.metadata.uid ?? "") ? -1 : 1;
  });
  return ranked.map(({ pod }) => pod);
}

function rankOf(pod: Pod, onNode: ReadonlyMap<string, number>, now: number): readonly number[] {
  const { spec, status, metadata } = pod;
  const node = spec?.nodeName ?? "";
  const restarts = (status?.containerStatuses ?? []).map(({ restartCount = 0 }) => restartCount);
  return [
    node === "" ? 0 : 1,
    PHASES[status?.phase ?? ""] ?? 0,
    isReady(pod) ? 1 : 0,
    Number.parseInt(metadata.annotations?.[DELETION_COST] ?? "0", 10) || 0,
    -(onNode.get(node) ?? 0),
    isReady(pod) ? ageOf(conditionOf(status, "Ready")?.lastTransitionTime, now) : 0,
    -Math.max(0, ...restarts),
    ageOf(metadata.creationTimestamp, now),
  ];
}

/** Ages count by their order of magnitude: among those of about the same age, chance decides (their uid). */
function ageOf(time: string | undefined, now: number): number {
  const age = now - millisecondsOf(time);
  if (Number.isNaN(age)) return -1;
  return age <= 0 ? 0 : Math.floor(Math.log2(age / 1000 + 1));
}
