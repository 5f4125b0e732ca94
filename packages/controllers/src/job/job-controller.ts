import { selectorOf } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { enqueueOwners } from "../shared/enqueue-owners.ts";
import { controllerOf } from "../shared/owners.ts";
import { JOBS, PODS } from "../shared/resources.ts";
import type { Job } from "../types/jobs.ts";
import type { Pod } from "../types/pod.ts";
import { JobBackoff } from "./backoff.ts";
import { JobLook, removeTracking } from "./job-look.ts";
import { isTracked } from "./job-pods.ts";
import { isJobFinished } from "./job-state.ts";

/** Keys of pods that no job counts any more. */
const FREE = "free:";
const OURS = "kubernetes.io/job-controller";

/** Runs pods until enough of them have succeeded. */
export const jobController: ControllerDefinition = { name: "job-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const jobs = informers.of<Job>(JOBS);
  const pods = informers.of<Pod>(PODS);
  const backoff = new JobBackoff();
  const counter = (pod: Pod): Job | undefined => {
    const reference = controllerOf(pod);
    if (reference?.kind !== "Job") return undefined;
    const job = jobs.get(`${pod.metadata.namespace}/${reference.name}`);
    return job?.metadata.uid === reference.uid && !isJobFinished(job) ? job : undefined;
  };
  const free = (pod: Pod): void => {
    if (isTracked(pod) && counter(pod) === undefined) queue.add(`${FREE}${keyOf(pod)}`);
  };
  enqueueOwners<Job>({ queue, owners: jobs, dependents: pods, selector: ({ spec }) => selectorOf(spec?.selector) });
  pods.handle({ added: free, updated: free });
  const freeAll = ({ metadata: { uid = "" } }: Job): void => {
    for (const pod of pods.find("controller", uid)) free(pod);
  };
  jobs.handle({ updated: (job) => isJobFinished(job) && freeAll(job), deleted: freeAll });
  return async (key) => {
    if (key.startsWith(FREE)) {
      const pod = pods.get(key.slice(FREE.length));
      if (pod !== undefined && counter(pod) === undefined) await removeTracking(context, pod);
      return;
    }
    const job = jobs.get(key);
    if (job === undefined || isJobFinished(job)) backoff.forget(key);
    else if ((job.spec?.managedBy ?? OURS) === OURS) await new JobLook(context, backoff, job).run();
  };
}
