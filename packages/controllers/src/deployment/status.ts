import { deepEqual, timestamp } from "@boxship/api";
import { withoutCondition } from "../shared/conditions.ts";
import { conditionOf, millisecondsOf } from "../shared/pods.ts";
import type { Condition } from "../types/pod.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../types/workloads.ts";
import { mostUnavailable, replicasOf, statusTotal } from "./replicas.ts";

/** A Deployment without a deadline has this one. */
const NO_DEADLINE = 2147483647;

export const hasDeadline = ({ spec }: Deployment): boolean =>
  spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE;

export const progressOf = (status: DeploymentStatus | undefined): Condition | undefined =>
  conditionOf(status, "Progressing");

/** Conditions with this one, unless it says nothing new. */
export function setCondition(conditions: readonly Condition[] = [], next: Condition, now: number): Condition[] {
  const current = conditions.find(({ type }) => type === next.type);
  if (current !== undefined && current.status === next.status && current.reason === next.reason) return [...conditions];
  const time = timestamp(now);
  const kept = current?.status === next.status ? (current.lastTransitionTime ?? time) : time;
  const dated = { ...next, lastUpdateTime: time, lastTransitionTime: kept };
  return [...conditions.filter(({ type }) => type !== next.type), dated];
}

/** What the sets say about the Deployment, with the conditions that it has. */
export function countStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  now: number,
): DeploymentStatus {
  const available = statusTotal(sets, "availableReplicas");
  const total = sets.reduce((sum, set) => sum + replicasOf(set), 0);
  const { collisionCount, conditions } = deployment.status ?? {};
  const enough = available >= replicasOf(deployment) - mostUnavailable(deployment);
  const terminating = statusTotal(sets, "terminatingReplicas");
  const numbers = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: statusTotal(sets, "replicas"),
    updatedReplicas: statusTotal([newest], "replicas"),
    readyReplicas: statusTotal(sets, "readyReplicas"),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total - available),
    terminatingReplicas: terminating,
    collisionCount: collisionCount ?? 0,
  };
  const condition: Condition = enough
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
  return { ...withoutZeros(numbers), conditions: setCondition(conditions, condition, now) };
}

function withoutZeros(numbers: { readonly [field: string]: number }): DeploymentStatus {
  return Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0));
}

/** Every pod has the newest template and is available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0, observedGeneration = 0 } = status;
  return (
    updatedReplicas === wanted &&
    replicas === wanted &&
    availableReplicas === wanted &&
    observedGeneration >= (deployment.metadata.generation ?? 0)
  );
}

/** More of it is new, less of it is old, or more of it works than before. */
function isProgressing({ status: old = {} }: Deployment, status: DeploymentStatus): boolean {
  const oldPods = (one: DeploymentStatus): number => (one.replicas ?? 0) - (one.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    oldPods(status) < oldPods(old) ||
    (status.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function isTimedOut(deployment: Deployment, status: DeploymentStatus, now: number): boolean {
  const progress = progressOf(status);
  if (progress === undefined || progress.reason === "NewReplicaSetAvailable") return false;
  if (progress.reason === "ProgressDeadlineExceeded") return true;
  return millisecondsOf(progress.lastUpdateTime) + deadlineOf(deployment) < now;
}

const deadlineOf = ({ spec }: Deployment): number => (spec?.progressDeadlineSeconds ?? 0) * 1000;

/** The status of a Deployment that is being rolled out: the numbers, and how it is getting on. */
export function rolloutStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  now: number,
): DeploymentStatus {
  const status = countStatus(deployment, sets, newest, now);
  if (!hasDeadline(deployment)) status.conditions = withoutCondition(status.conditions, "Progressing");
  const progress = progressOf(deployment.status);
  const wasComplete =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && progress?.reason === "NewReplicaSetAvailable";
  if (hasDeadline(deployment) && !wasComplete) {
    const next = nextProgress(deployment, status, newest, now);
    if (next !== undefined) status.conditions = withProgress(status.conditions, next, progress, now);
  }
  const failure = sets
    .flatMap((set) => conditionOf(set.status, "ReplicaFailure") ?? [])
    .find((one) => one.status === "True");
  status.conditions =
    failure === undefined
      ? withoutCondition(status.conditions, "ReplicaFailure")
      : setCondition(status.conditions, failureOf(failure), now);
  return status;
}

const failureOf = ({ type, status, reason = "", message = "" }: Condition): Condition => ({
  type,
  status,
  reason,
  message,
});

function nextProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  newest: ReplicaSet | undefined,
  now: number,
): Condition | undefined {
  const { name = "" } = deployment.metadata;
  const what = newest === undefined ? `Deployment "${name}"` : `ReplicaSet "${newest.metadata.name}"`;
  const condition = (state: "True" | "False", reason: string, words: string): Condition => ({
    type: "Progressing",
    status: state,
    reason,
    message: `${what} ${words}`,
  });
  if (isComplete(deployment, status)) {
    return condition("True", "NewReplicaSetAvailable", "has successfully progressed.");
  }
  if (isProgressing(deployment, status)) return condition("True", "ReplicaSetUpdated", "is progressing.");
  if (isTimedOut(deployment, status, now)) {
    return condition("False", "ProgressDeadlineExceeded", "has timed out progressing.");
  }
  return undefined;
}

/** Every step that is made begins the deadline anew, also where reason and status stay. */
function withProgress(
  conditions: readonly Condition[] = [],
  next: Condition,
  current: Condition | undefined,
  now: number,
): Condition[] {
  if (next.reason !== "ReplicaSetUpdated" || current === undefined) return setCondition(conditions, next, now);
  const time = timestamp(now);
  const kept = current.status === "True" ? (current.lastTransitionTime ?? time) : time;
  const dated = { ...next, lastUpdateTime: time, lastTransitionTime: kept };
  return [...withoutCondition(conditions, "Progressing"), dated];
}

/** Milliseconds after which a Deployment that is not getting on has to be looked at again. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const progress = progressOf(deployment.status);
  if (!hasDeadline(deployment) || progress === undefined) return undefined;
  if (isComplete(deployment, status) || progress.reason === "ProgressDeadlineExceeded") return undefined;
  if (progress.reason === "NewReplicaSetAvailable") return undefined;
  // A second more: times are told in whole seconds.
  return Math.max(0, millisecondsOf(progress.lastUpdateTime) + deadlineOf(deployment) - now) + 1000;
}

export const sameStatus = (left: DeploymentStatus, right: DeploymentStatus | undefined): boolean =>
  deepEqual(left, right ?? {});
