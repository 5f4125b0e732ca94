import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { controllerOf, isControlledBy } from "../shared/owners.ts";
import { CRON_JOBS, JOBS } from "../shared/resources.ts";
import type { CronJob, Job } from "../types/jobs.ts";
import { CronLook, waitFor } from "./cron-look.ts";
import { parseSchedule } from "./schedule.ts";

/** Makes jobs by a schedule. */
export const cronJobController: ControllerDefinition = { name: "cronjob-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const cronJobs = informers.of<CronJob>(CRON_JOBS);
  const jobs = informers.of<Job>(JOBS);
  const add = (cronJob: CronJob): void => queue.add(keyOf(cronJob));
  const owner = (job: Job): void => {
    const reference = controllerOf(job);
    if (reference?.kind !== "CronJob") return;
    const cronJob = cronJobs.get(`${job.metadata.namespace}/${reference.name}`);
    if (cronJob?.metadata.uid === reference.uid) queue.add(keyOf(cronJob));
  };
  cronJobs.handle({
    added: add,
    updated(cronJob, before) {
      const wait = changedSchedule(cronJob, before, context.clock.now());
      if (wait === undefined) add(cronJob);
      else queue.addAfter(keyOf(cronJob), wait);
    },
  });
  jobs.handle({ added: owner, updated: owner, deleted: owner });
  return async (key) => {
    const cronJob = cronJobs.get(key);
    if (cronJob === undefined) return;
    const own = jobs.find("controller", cronJob.metadata.uid ?? "").filter((job) => isControlledBy(job, cronJob));
    const wait = await new CronLook(context, cronJob, own).run();
    if (wait !== undefined) queue.addAfter(key, wait);
  };
}

/** Milliseconds until the first time by a new schedule: those before it count for nothing. Undefined where it is as before. */
function changedSchedule(cronJob: CronJob, before: CronJob, now: number): number | undefined {
  const { schedule = "", timeZone } = cronJob.spec ?? {};
  if (schedule === before.spec?.schedule && timeZone === before.spec.timeZone) return undefined;
  try {
    return waitFor(cronJob, parseSchedule(schedule, timeZone ?? "UTC"), now);
  } catch {
    return undefined; // told by the look
  }
}
