import { isFinished } from "../shared/pods.ts";
import type { Pod } from "../types/pod.ts";
import type { ReplicaSet } from "../types/workloads.ts";
import { isActiveSet, mostUnavailable, replicasForNewest, replicasOf, totalOf } from "./replicas.ts";
import type { Rollout } from "./rollout.ts";
import { isComplete } from "./status.ts";

/** One step from the old pods to the new ones: some more new ones, or some old ones less. */
export async function roll(rollout: Rollout): Promise<void> {
  const newest = await rollout.settleNewest(true);
  if (newest !== undefined && !(await growNewest(rollout, newest))) {
    if (!(await shrinkOld(rollout)) && isComplete(rollout.deployment, rollout.deployment.status ?? {})) {
      await rollout.cleanUp();
    }
  }
  await rollout.tellProgress();
}

async function growNewest(rollout: Rollout, newest: ReplicaSet): Promise<boolean> {
  const wanted = replicasOf(rollout.deployment);
  const has = replicasOf(newest);
  if (has === wanted) return false;
  const next = has > wanted ? wanted : replicasForNewest(rollout.deployment, rollout.sets, newest);
  return next === has ? false : await rollout.scale(newest, next);
}

async function shrinkOld(rollout: Rollout): Promise<boolean> {
  const { deployment } = rollout;
  if (totalOf(rollout.old) === 0) return false;
  const least = replicasOf(deployment) - mostUnavailable(deployment);
  const { newest } = rollout;
  const newUnavailable = newest === undefined ? 0 : replicasOf(newest) - availableOf(newest);
  const most = totalOf(rollout.sets) - least - newUnavailable;
  if (most <= 0) return false;
  const unhealthy = await shrinkUnhealthy(rollout, most);
  const healthy = await shrinkHealthy(rollout, least);
  return unhealthy || healthy;
}

/** Of a set that was just made smaller, the status still counts pods that go. */
function availableOf(set: ReplicaSet): number {
  return Math.min(set.status?.availableReplicas ?? 0, replicasOf(set));
}

/** Pods that do not work are no loss: they go first. */
async function shrinkUnhealthy(rollout: Rollout, most: number): Promise<boolean> {
  let done = 0;
  for (const set of rollout.old) {
    const has = replicasOf(set);
    const less = Math.min(most - done, has - availableOf(set));
    if (has === 0 || less <= 0) continue;
    await rollout.scale(set, has - less);
    done += less;
  }
  return done > 0;
}

async function shrinkHealthy(rollout: Rollout, least: number): Promise<boolean> {
  const spare = rollout.sets.reduce((sum, set) => sum + availableOf(set), 0) - least;
  let done = 0;
  for (const set of rollout.old) {
    const has = replicasOf(set);
    const less = Math.min(has, spare - done);
    if (less <= 0) continue;
    await rollout.scale(set, has - less);
    done += less;
  }
  return done > 0;
}

/** First no pod of the old ones is left, then all new ones are made. */
export async function recreate(rollout: Rollout, podsOf: (set: ReplicaSet) => readonly Pod[]): Promise<void> {
  await rollout.settleNewest(false);
  let shrunk = false;
  for (const set of rollout.old.filter(isActiveSet)) shrunk = (await rollout.scale(set, 0)) || shrunk;
  const running = rollout.old.some((set) => podsOf(set).some((pod) => !isFinished(pod)));
  if (!shrunk && !running) {
    const newest = await rollout.settleNewest(true);
    if (newest !== undefined) await rollout.scale(newest, replicasOf(rollout.deployment));
    if (isComplete(rollout.deployment, rollout.deployment.status ?? {})) await rollout.cleanUp();
  }
  await rollout.tellProgress();
}
