import { Conflict, NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isTerminating } from "../shared/pods.ts";
import { JOBS, refOf } from "../shared/resources.ts";
import type { Job } from "../types/jobs.ts";
import { finishOf } from "./job-state.ts";

/** Deletes jobs so long after they are over as they ask for. */
export const ttlAfterFinishedController: ControllerDefinition = { name: "ttl-after-finished-controller", open };

function open({ client, informers, queue, clock }: ControllerContext): Reconcile {
  const jobs = informers.of<Job>(JOBS);
  const add = (job: Job): void => {
    if (job.spec?.ttlSecondsAfterFinished !== undefined && finishOf(job.status) !== undefined) queue.add(keyOf(job));
  };
  jobs.handle({ added: add, updated: add });
  return async (key) => {
    const job = jobs.get(key);
    const finished = finishOf(job?.status);
    const seconds = job?.spec?.ttlSecondsAfterFinished;
    if (job === undefined || finished === undefined || seconds === undefined || isTerminating(job)) return;
    const left = Date.parse(finished.lastTransitionTime ?? "") + seconds * 1000 - clock.now();
    if (left > 0) {
      queue.addAfter(key, left);
      return;
    }
    const { uid = "", resourceVersion = "" } = job.metadata;
    try {
      await client.delete(refOf(JOBS, job), {
        propagationPolicy: "Foreground",
        preconditions: { uid, resourceVersion },
      });
    } catch (error) {
      // Somebody has changed it, maybe its time: it is looked at again.
      if (error instanceof Conflict) queue.addLimited(key);
      else if (!(error instanceof NotFound)) throw error;
    }
  };
}
