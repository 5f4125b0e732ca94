import { conditionOf } from "../shared/pods.ts";
import type { Node, Taint } from "../types/sets.ts";

export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

/** Conditions that keep new pods away: the status that does, and the taint. */
const BY_CONDITION: readonly (readonly [type: string, status: string, key: string])[] = [
  ["Ready", "False", NOT_READY],
  ["Ready", "Unknown", UNREACHABLE],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

const OURS = new Set([...BY_CONDITION.map(([, , key]) => key), UNSCHEDULABLE]);

const isOurs = ({ key, effect }: Taint): boolean =>
  (effect === "NoSchedule" && OURS.has(key)) || (effect === "NoExecute" && (key === NOT_READY || key === UNREACHABLE));

/**
 * The taints that a node has to have by its conditions, beside those of others.
 *
 * @param executes whether pods are thrown out of it, if it is not well
 */
export function taintsFor(node: Node, executes: boolean, time: string): readonly Taint[] {
  const present = node.spec?.taints ?? [];
  const ready = conditionOf(node.status, "Ready")?.status;
  const wanted: Taint[] = [];
  const keep = (key: string, effect: string): void => {
    wanted.push(present.find((one) => one.key === key && one.effect === effect) ?? { key, effect, timeAdded: time });
  };
  for (const [type, status, key] of BY_CONDITION) {
    if (conditionOf(node.status, type)?.status === status) keep(key, "NoSchedule");
  }
  // Of a node that has told nothing yet, the taint stays that it was made with.
  if (ready === undefined && present.some(({ key, effect }) => key === NOT_READY && effect === "NoSchedule")) {
    keep(NOT_READY, "NoSchedule");
  }
  if (node.spec?.unschedulable === true) keep(UNSCHEDULABLE, "NoSchedule");
  const execute = ready === "False" ? NOT_READY : ready === "Unknown" ? UNREACHABLE : undefined;
  if (execute !== undefined && executes) keep(execute, "NoExecute");
  return [...present.filter((taint) => !isOurs(taint)), ...wanted];
}

/** Pods are thrown out of the node already. */
export function isExecuting({ spec }: Node): boolean {
  return (
    spec?.taints?.some(({ key, effect }) => effect === "NoExecute" && (key === NOT_READY || key === UNREACHABLE)) ===
    true
  );
}
