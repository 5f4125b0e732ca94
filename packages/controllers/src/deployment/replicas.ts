import { deepEqual, type Json } from "@boxship/api";
import { scaledValue } from "../shared/int-or-percent.ts";
import { byAge } from "../shared/pods.ts";
import type { Deployment, ReplicaSet } from "../types/workloads.ts";

export const HASH_LABEL = "pod-template-hash";

export const isRolling = ({ spec }: Deployment): boolean => spec?.strategy?.type !== "Recreate";

export const replicasOf = ({ spec }: ReplicaSet | Deployment): number => spec?.replicas ?? 1;

export const totalOf = (sets: readonly ReplicaSet[]): number => sets.reduce((sum, set) => sum + replicasOf(set), 0);

export function statusTotal(
  sets: readonly (ReplicaSet | undefined)[],
  field: "availableReplicas" | "readyReplicas" | "replicas" | "terminatingReplicas",
): number {
  return sets.reduce((sum, set) => sum + (set?.status?.[field] ?? 0), 0);
}

/** How many pods there may be too many, and too few, while a Deployment is rolled out; never both none. */
export function limitsOf(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const replicas = replicasOf(deployment);
  const surge = scaledValue(maxSurge, replicas, "up");
  const unavailable = scaledValue(maxUnavailable, replicas, "down");
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** At most so many pods may be away, of all that are asked for. */
export function mostUnavailable(deployment: Deployment): number {
  const replicas = replicasOf(deployment);
  return replicas === 0 ? 0 : Math.min(limitsOf(deployment).unavailable, replicas);
}

/** The set with the Deployment's template; of several the oldest. */
export function newestSet({ spec }: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort(byAge).find((set) => deepEqual(withoutHash(set.spec?.template), withoutHash(spec?.template)));
}

function withoutHash(template: Json | undefined): Json {
  const copy = structuredClone(template ?? {}) as { metadata?: { labels?: { [label: string]: string } } & object };
  const { metadata = {} } = copy;
  delete metadata.labels?.[HASH_LABEL];
  if (Object.keys(metadata.labels ?? {}).length === 0) delete metadata.labels;
  // Written by the API for templates that name none.
  if ("creationTimestamp" in metadata) delete metadata["creationTimestamp"];
  return { ...copy, metadata };
}

export const isActiveSet = (set: ReplicaSet): boolean => replicasOf(set) > 0;

/** As many replicas as the newest set may have beside the others. */
export function replicasForNewest(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
): number {
  const wanted = replicasOf(deployment);
  if (!isRolling(deployment)) return wanted;
  const has = newest === undefined ? 0 : replicasOf(newest);
  const all = newest === undefined ? totalOf(sets) : totalOf(sets.filter((set) => set !== newest)) + has;
  const room = wanted + limitsOf(deployment).surge - all;
  return room <= 0 ? has : has + Math.min(room, wanted - has);
}
