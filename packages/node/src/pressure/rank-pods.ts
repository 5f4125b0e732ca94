import { amount } from "../status/qos.ts";
import type { Pod } from "../types.ts";
import type { Resource } from "./thresholds.ts";

/** What a pod uses at this moment: bytes, or processes. */
export type Usage = Readonly<Record<Resource, number>>;

export interface UsedPod {
  readonly pod: Pod;
  readonly usage: Usage;
  /** What each container uses by itself, by its name. */
  readonly containers: Readonly<Record<"memory" | "ephemeral-storage", ReadonlyMap<string, number>>>;
}

/** Whoever the cluster cannot be without. */
export const CRITICAL = 2_000_000_000;

/**
 * Who goes first where something is short: those that use more than they asked for, among them those of least priority, among
 * them those that are furthest beyond. Nobody critical.
 */
export function rankPods(pods: readonly UsedPod[], resource: Resource): readonly UsedPod[] {
  const beyond = ({ pod, usage }: UsedPod): number => usage[resource] - requestedBy(pod, resource);
  return pods
    .filter(({ pod }) => (pod.spec.priority ?? 0) < CRITICAL)
    .toSorted(
      (a, b) =>
        Number(beyond(b) > 0) - Number(beyond(a) > 0) ||
        (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0) ||
        beyond(b) - beyond(a),
    );
}

export function requestedBy({ spec }: Pod, resource: string): number {
  const own = spec.containers.reduce((sum, { resources = {} }) => sum + amount(resources.requests?.[resource]), 0);
  return own + amount(spec.overhead?.[resource]);
}
