import { deepCopy, deepEqual, requireZone, timestamp } from "@boxship/api";
import { AlreadyExists, errorMessage, NotFound } from "@boxship/base";
import type { ControllerContext } from "../contract.ts";
import { finishOf } from "../job/job-state.ts";
import { controllerReference, isControlledBy } from "../shared/owners.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { byAge, isTerminating } from "../shared/pods.ts";
import { CRON_JOBS, JOBS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { CronJob, Job, JobReference } from "../types/jobs.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { inZone } from "./time-zone.ts";

/** Times that were missed; more are not counted, and told. */
const MOST_MISSED = 100;
/** A look just before its time would find nothing to do. */
const LATER_MS = 100;

/** One look at one CronJob. */
export class CronLook {
  readonly #context: ControllerContext;
  /** Those that it controls. */
  readonly #jobs: readonly Job[];
  #cronJob: CronJob;
  #status: NonNullable<CronJob["status"]>;

  constructor(context: ControllerContext, cronJob: CronJob, jobs: readonly Job[]) {
    this.#context = context;
    this.#cronJob = cronJob;
    this.#jobs = jobs;
    this.#status = deepCopy(cronJob.status ?? {});
  }

  /** @returns milliseconds after which it has to be looked at again */
  async run(): Promise<number | undefined> {
    this.#settleActive();
    await this.#cleanUp();
    const isIdle = isTerminating(this.#cronJob) || this.#cronJob.spec?.suspend === true;
    const schedule = isIdle ? undefined : this.#schedule();
    try {
      if (schedule !== undefined) await this.#start(schedule);
    } finally {
      // What was told is written, whatever fails then: it would be told again.
      await this.#write();
    }
    return schedule === undefined ? undefined : waitFor(this.#cronJob, schedule, this.#context.clock.now());
  }

  #tell(type: "Normal" | "Warning", reason: string, message: string): void {
    this.#context.events.record(this.#cronJob, type, reason, message);
  }

  get #active(): JobReference[] {
    return this.#status.active ?? [];
  }

  /** Which of its jobs still run. */
  #settleActive(): void {
    const known = new Set(this.#active.map(({ uid }) => uid));
    for (const job of this.#jobs) {
      const { name = "", uid } = job.metadata;
      const finished = finishOf(job.status);
      if (!known.has(uid) && finished === undefined) {
        this.#tell("Warning", "UnexpectedJob", `Saw a job that the controller did not create or forgot: ${name}`);
      } else if (known.has(uid) && finished !== undefined) {
        this.#status.active = this.#active.filter((one) => one.uid !== uid);
        this.#tell("Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${finished.type}`);
      }
      if (finished?.type === "Complete") this.#succeeded(job);
    }
    const present = new Set(this.#jobs.map(({ metadata }) => metadata.uid));
    for (const { uid = "", name = "" } of this.#active) {
      // One that somebody took from it runs all the same.
      if (present.has(uid) || this.#isThere(name, uid)) continue;
      this.#status.active = this.#active.filter((one) => one.uid !== uid);
      this.#tell("Normal", "MissingJob", `Active job went missing: ${name}`);
    }
  }

  #isThere(name: string, uid: string): boolean {
    const { namespace } = this.#cronJob.metadata;
    const found = this.#context.informers.of<Job>(JOBS).get(`${namespace}/${name}`);
    return found?.metadata.uid === uid && finishOf(found.status) === undefined;
  }

  #succeeded({ status }: Job): void {
    const time = status?.completionTime;
    if (time !== undefined && time > (this.#status.lastSuccessfulTime ?? "")) this.#status.lastSuccessfulTime = time;
  }

  async #cleanUp(): Promise<void> {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = this.#cronJob.spec ?? {};
    await this.#keep("Complete", successfulJobsHistoryLimit);
    await this.#keep("Failed", failedJobsHistoryLimit);
  }

  async #keep(type: "Complete" | "Failed", limit: number | undefined): Promise<void> {
    if (limit === undefined) return;
    const ended = this.#jobs.filter((job) => finishOf(job.status)?.type === type && !isTerminating(job));
    const sorted = ended.sort(byStart);
    // One that cannot be deleted keeps nothing else from being done.
    for (const job of sorted.slice(0, Math.max(0, sorted.length - limit))) await this.#delete(job).catch(() => {});
  }

  async #delete(job: Job): Promise<void> {
    const { name = "", uid } = job.metadata;
    try {
      await this.#context.client.delete(refOf(JOBS, job), { propagationPolicy: "Background" });
    } catch (error) {
      if (!(error instanceof NotFound)) {
        this.#tell("Warning", "FailedDelete", `Deleted job: ${errorMessage(error)}`);
        throw error;
      }
    }
    this.#status.active = this.#active.filter((one) => one.uid !== uid);
    this.#tell("Normal", "SuccessfulDelete", `Deleted job ${name}`);
  }

  #schedule(): Schedule | undefined {
    const { schedule = "", timeZone } = this.#cronJob.spec ?? {};
    try {
      if (timeZone !== undefined) requireZone(timeZone);
    } catch (error) {
      this.#tell("Warning", "UnknownTimeZone", `invalid timeZone: "${timeZone}": ${errorMessage(error)}`);
      return undefined;
    }
    try {
      return parseSchedule(schedule, timeZone ?? "UTC");
    } catch (error) {
      this.#tell("Warning", "UnparseableSchedule", `unparseable schedule: "${schedule}" : ${errorMessage(error)}`);
      return undefined;
    }
  }

  async #start(schedule: Schedule): Promise<void> {
    const now = this.#context.clock.now();
    const { recent: scheduled, missed } = mostRecent(this.#cronJob, schedule, now, true);
    if (missed > MOST_MISSED) {
      const words = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
      this.#tell("Warning", "TooManyMissedTimes", words);
    }
    if (scheduled === undefined) return;
    const { startingDeadlineSeconds, concurrencyPolicy } = this.#cronJob.spec ?? {};
    if (startingDeadlineSeconds !== undefined && scheduled + startingDeadlineSeconds * 1000 < now) {
      this.#tell(
        "Warning",
        "MissSchedule",
        `Missed scheduled time to start a job: ${new Date(scheduled).toUTCString().replace("GMT", "+0000")}`,
      );
      return;
    }
    const name = this.#nameFor(scheduled);
    if (this.#active.some((one) => one.name === name) || this.#status.lastScheduleTime === timestamp(scheduled)) return;
    if (concurrencyPolicy === "Forbid" && this.#active.length > 0) {
      const words = "Not starting job because prior execution is running and concurrency policy is Forbid";
      this.#tell("Normal", "JobAlreadyActive", words);
      return;
    }
    if (concurrencyPolicy === "Replace") {
      const active = new Set(this.#active.map(({ uid }) => uid));
      for (const job of this.#jobs.filter(({ metadata }) => active.has(metadata.uid))) await this.#delete(job);
    }
    await this.#create(name, scheduled);
  }

  #nameFor(scheduled: number): string {
    return `${this.#cronJob.metadata.name}-${Math.floor(scheduled / 60_000)}`;
  }

  async #create(name: string, scheduled: number): Promise<void> {
    const { spec = {}, metadata } = this.#cronJob;
    const template = deepCopy(spec.jobTemplate ?? {});
    const namespace = metadata.namespace ?? "";
    const job: Job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace,
        labels: { ...template.metadata?.labels },
        annotations: {
          ...template.metadata?.annotations,
          "batch.kubernetes.io/cronjob-scheduled-timestamp": inZone(scheduled, spec.timeZone ?? "UTC"),
        },
        ownerReferences: [controllerReference(this.#cronJob)],
      },
      spec: template.spec ?? {},
    };
    let created: Job;
    try {
      created = await this.#context.client.create({ ...JOBS, namespace }, job);
      this.#tell("Normal", "SuccessfulCreate", `Created job ${name}`);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!(error instanceof AlreadyExists)) {
        this.#tell("Warning", "FailedCreate", `Error creating job: ${errorMessage(error)}`);
        throw error;
      }
      // Made by a look that could not write it down.
      created = await this.#context.client.get<Job>(refOf(JOBS, job));
      if (!isControlledBy(created, this.#cronJob)) {
        this.#tell("Warning", "FailedCreate", `Error creating job: ${errorMessage(error)}`);
        return;
      }
    }
    const { uid = "", resourceVersion = "" } = created.metadata;
    const reference = { kind: "Job", namespace, name, uid, apiVersion: "batch/v1", resourceVersion };
    if (finishOf(created.status) === undefined) this.#status.active = [...this.#active, reference];
    this.#status.lastScheduleTime = timestamp(scheduled);
  }

  async #write(): Promise<void> {
    if (this.#active.length === 0) delete this.#status.active;
    if (deepEqual(this.#status, this.#cronJob.status ?? {})) return;
    const { client } = this.#context;
    this.#cronJob = await writeStatus(client, refOf(CRON_JOBS, this.#cronJob), this.#cronJob, this.#status);
  }
}

/** Those that have begun first, the oldest before. */
function byStart(left: Job, right: Job): number {
  const [a, b] = [left.status?.startTime ?? "~", right.status?.startTime ?? "~"];
  return a === b ? byAge(left, right) : a < b ? -1 : 1;
}

interface Recent {
  /** From when on times are due. */
  readonly earliest: number;
  /** The last time that is due and was not started; undefined where there is none. */
  readonly recent?: number;
  /** How many are due; more than {@link MOST_MISSED} are not counted. */
  readonly missed: number;
}

/** @param heedsDeadline what is too late to be started is not due */
function mostRecent(
  { metadata, spec, status }: CronJob,
  schedule: Schedule,
  now: number,
  heedsDeadline: boolean,
): Recent {
  const { startingDeadlineSeconds } = spec ?? {};
  let earliest = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? "");
  if (heedsDeadline && startingDeadlineSeconds !== undefined)
    earliest = Math.max(earliest, now - startingDeadlineSeconds * 1000);
  let recent: number | undefined;
  let missed = 0;
  for (let time = schedule.next(earliest); time !== undefined && time <= now; time = schedule.next(time)) {
    recent = time;
    if (++missed > MOST_MISSED) {
      recent = lastBefore(schedule, time, now);
      break;
    }
  }
  return { earliest, missed, ...(recent === undefined ? {} : { recent }) };
}

/** Milliseconds until a CronJob's next time: `@every` counts from the last one. Undefined where there is none. */
export function waitFor(cronJob: CronJob, schedule: Schedule, now: number): number | undefined {
  const { earliest, recent } = mostRecent(cronJob, schedule, now, false);
  const next = schedule.next(recent ?? earliest);
  return next === undefined ? undefined : Math.max(0, next - now) + LATER_MS;
}

/** The last time that is not after `now`: steps that double until one is too far, and halve from there. */
function lastBefore(schedule: Schedule, from: number, now: number): number {
  let [known, step] = [from, now - from];
  while (step >= 1000) {
    const time = schedule.next(known + step);
    if (time !== undefined && time <= now) known = time;
    else step /= 2;
  }
  for (let time = schedule.next(known); time !== undefined && time <= now; time = schedule.next(time)) known = time;
  return known;
}
