import { deepCopy, selectorOf } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { enqueueOwners } from "../shared/enqueue-owners.ts";
import { controllerOf } from "../shared/owners.ts";
import { isTerminating } from "../shared/pods.ts";
import { DEPLOYMENTS, PODS, REPLICA_SETS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { Deployment, ReplicaSet } from "../types/workloads.ts";
import { isRolling } from "./replicas.ts";
import { isRescaled, rescale } from "./rescale.ts";
import { recreate, roll } from "./roll.ts";
import { Rollout } from "./rollout.ts";
import { hasDeadline, progressOf } from "./status.ts";

/** Rolls templates of pods out by way of replica sets, one for each template. */
export const deploymentController: ControllerDefinition = { name: "deployment-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const deployments = informers.of<Deployment>(DEPLOYMENTS);
  const sets = informers.of<ReplicaSet>(REPLICA_SETS);
  const pods = informers.of<Pod>(PODS);
  enqueueOwners<Deployment>({
    queue,
    owners: deployments,
    dependents: sets,
    selector: ({ spec }) => selectorOf(spec?.selector),
  });
  pods.handle({
    // New pods of a Deployment that recreates wait until the last old one is gone.
    deleted(pod) {
      const reference = controllerOf(pod);
      const set = sets.get(`${pod.metadata.namespace}/${reference?.name}`);
      const owner = set === undefined ? undefined : controllerOf(set);
      const deployment = deployments.get(`${pod.metadata.namespace}/${owner?.name}`);
      if (deployment !== undefined && !isRolling(deployment)) queue.add(keyOf(deployment));
    },
  });
  return async (key) => {
    const deployment = deployments.get(key);
    if (deployment !== undefined) await look(context, deployment);
  };
}

async function look(context: ControllerContext, deployment: Deployment): Promise<void> {
  const { client, informers, events } = context;
  const selector = selectorOf(deployment.spec?.selector) ?? [];
  if (selector.length === 0) {
    const message = "This deployment is selecting all pods. A non-empty selector is required.";
    events.record(deployment, "Warning", "SelectingAll", message);
    const { generation = 0 } = deployment.metadata;
    if ((deployment.status?.observedGeneration ?? 0) >= generation) return;
    const status = { ...deployment.status, observedGeneration: generation };
    await writeStatus(client, refOf(DEPLOYMENTS, deployment), deployment, status);
    return;
  }
  const sets = await claimObjects<ReplicaSet>({
    client,
    owner: deployment,
    ownerResource: DEPLOYMENTS,
    resource: REPLICA_SETS,
    selector,
    candidates: candidatesFor(informers.of<ReplicaSet>(REPLICA_SETS), deployment),
  });
  const rollout = new Rollout(context, deepCopy(deployment), sets);
  if (isTerminating(deployment)) {
    await rollout.tellNumbers();
    return;
  }
  await tellPause(rollout);
  if (deployment.spec?.paused === true) {
    await rollout.settleNewest(false);
    await rescale(rollout);
    await rollout.cleanUp();
    await rollout.tellNumbers();
  } else if (isRescaled(deployment, rollout.sets)) {
    await rollout.settleNewest(false);
    await rescale(rollout);
    await rollout.tellNumbers();
  } else if (isRolling(deployment)) await roll(rollout);
  else {
    const pods = informers.of<Pod>(PODS);
    await recreate(rollout, ({ metadata }) => pods.find("controller", metadata.uid ?? ""));
  }
}

/** The time of a pause does not count as time without progress. */
async function tellPause(rollout: Rollout): Promise<void> {
  const { deployment } = rollout;
  if (!hasDeadline(deployment)) return;
  const reason = progressOf(deployment.status)?.reason;
  if (reason === "ProgressDeadlineExceeded") return;
  const paused = deployment.spec?.paused === true;
  if (paused && reason !== "DeploymentPaused") {
    await rollout.setProgress("Unknown", "DeploymentPaused", "Deployment is paused");
  } else if (!paused && reason === "DeploymentPaused") {
    await rollout.setProgress("Unknown", "DeploymentResumed", "Deployment is resumed");
  }
}
