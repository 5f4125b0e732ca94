import type { Deployment, ReplicaSet } from "../types/workloads.ts";
import { desiredReplicasOf, mostReplicasOf } from "./annotations.ts";
import { isActiveSet, isRolling, limitsOf, replicasOf, totalOf } from "./replicas.ts";
import type { Rollout } from "./rollout.ts";

/** Whether somebody has asked for another number of replicas since the sets were scaled last. */
export function isRescaled(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = desiredReplicasOf(set);
    return isActiveSet(set) && desired !== undefined && desired !== replicasOf(deployment);
  });
}

/** Shares a new number of replicas out among the sets in proportion, so that a rollout that is under way stays as it is. */
export async function rescale(rollout: Rollout): Promise<void> {
  const { deployment, newest } = rollout;
  const wanted = replicasOf(deployment);
  const only = onlyOrLatest(rollout);
  if (only !== undefined) {
    await rollout.scale(only, wanted);
    return;
  }
  if (isSaturated(deployment, newest)) {
    for (const set of rollout.old.filter(isActiveSet)) await rollout.scale(set, 0);
    return;
  }
  if (isRolling(deployment)) await shareOut(rollout, wanted === 0 ? 0 : wanted + limitsOf(deployment).surge);
}

/** The one set that has replicas or, where none has, the newest; undefined where several have. */
function onlyOrLatest({ newest, old, sets }: Rollout): ReplicaSet | undefined {
  const active = sets.filter(isActiveSet);
  if (active.length > 1) return undefined;
  return active[0] ?? newest ?? old.at(-1);
}

function isSaturated(deployment: Deployment, set: ReplicaSet | undefined): boolean {
  const wanted = replicasOf(deployment);
  return (
    set !== undefined &&
    replicasOf(set) === wanted &&
    desiredReplicasOf(set) === wanted &&
    (set.status?.availableReplicas ?? 0) === wanted
  );
}

async function shareOut(rollout: Rollout, room: number): Promise<void> {
  const { deployment } = rollout;
  const sets = rollout.sets.filter(isActiveSet);
  const toAdd = room - totalOf(sets);
  sets.sort((left, right) => replicasOf(right) - replicasOf(left) || byMaking(left, right) * (toAdd > 0 ? -1 : 1));
  let added = 0;
  const sizes = sets.map((set) => {
    const more = proportionOf(set, deployment, toAdd, added);
    added += more;
    return replicasOf(set) + more;
  });
  for (const [at, set] of sets.entries()) {
    const leftover = at === 0 ? toAdd - added : 0;
    await rollout.scale(set, Math.max(0, (sizes[at] ?? 0) + leftover));
  }
}

function byMaking(left: ReplicaSet, right: ReplicaSet): number {
  const [a = "", b = ""] = [left.metadata.creationTimestamp, right.metadata.creationTimestamp];
  if (a !== b) return a < b ? -1 : 1;
  return (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1;
}

function proportionOf(set: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (toAdd === 0 || toAdd === added) return 0;
  const allowed = toAdd - added;
  const share = shareOf(set, deployment);
  return toAdd > 0 ? Math.min(share, allowed) : Math.max(share, allowed);
}

function shareOf(set: ReplicaSet, deployment: Deployment): number {
  const wanted = replicasOf(deployment);
  const has = replicasOf(set);
  if (wanted === 0) return -has;
  const before = mostReplicasOf(set) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((has * (wanted + limitsOf(deployment).surge)) / before) - has;
}
