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
    const wait = isTerminating(this.#cronJob) || this.#cronJob.spec?.suspend === true ? undefined : await this.#start();
    await this.#write();
    return wait;
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
    for (const { uid, name = "" } of this.#active) {
      if (present.has(uid)) continue;
      this.#status.active = this.#active.filter((one) => one.uid !== uid);
      this.#tell("Normal", "MissingJob", `Active job went missing: ${name}`);
    }
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
    const sorted = [...ended].sort((left, right) =>
      (left.status?.startTime ?? "") < (right.status?.startTime ?? "")
        ? -1
        : left.status?.startTime === right.status?.startTime
          ? byAge(left, right)
          : 1,
    );
    for (const job of sorted.slice(0, Math.max(0, sorted.length - limit))) await this.#delete(job);
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

  async #start(): Promise<number | undefined> {
    const schedule = this.#schedule();
    if (schedule === undefined) return undefined;
    const now = this.#context.clock.now();
    const scheduled = this.#mostRecent(schedule, now);
    const next = schedule.next(now);
    const wait = next === undefined ? undefined : next - now + LATER_MS;
    if (scheduled === undefined) return wait;
    const { startingDeadlineSeconds, concurrencyPolicy } = this.#cronJob.spec ?? {};
    if (startingDeadlineSeconds !== undefined && scheduled + startingDeadlineSeconds * 1000 < now) {
      this.#tell(
        "Warning",
        "MissSchedule",
        `Missed scheduled time to start a job: ${new Date(scheduled).toUTCString().replace("GMT", "+0000")}`,
      );
      return wait;
    }
    const name = this.#nameFor(scheduled);
    if (this.#active.some((one) => one.name === name) || this.#status.lastScheduleTime === timestamp(scheduled))
      return wait;
    if (concurrencyPolicy === "Forbid" && this.#active.length > 0) {
      const words = "Not starting job because prior execution is running and concurrency policy is Forbid";
      this.#tell("Normal", "JobAlreadyActive", words);
      return wait;
    }
    if (concurrencyPolicy === "Replace") {
      const active = new Set(this.#active.map(({ uid }) => uid));
      for (const job of this.#jobs.filter(({ metadata }) => active.has(metadata.uid))) await this.#delete(job);
    }
    await this.#create(name, scheduled);
    return wait;
  }

  #nameFor(scheduled: number): string {
    return `${this.#cronJob.metadata.name}-${Math.floor(scheduled / 60_000)}`;
  }

  /** The last time that is due and was not started; undefined where there is none. */
  #mostRecent(schedule: Schedule, now: number): number | undefined {
    const { creationTimestamp = "" } = this.#cronJob.metadata;
    const { startingDeadlineSeconds } = this.#cronJob.spec ?? {};
    let earliest = Date.parse(this.#status.lastScheduleTime ?? creationTimestamp);
    if (startingDeadlineSeconds !== undefined) earliest = Math.max(earliest, now - startingDeadlineSeconds * 1000);
    let recent: number | undefined;
    let missed = 0;
    for (let time = schedule.next(earliest); time !== undefined && time <= now; time = schedule.next(time)) {
      recent = time;
      if (++missed > MOST_MISSED) {
        recent = lastBefore(schedule, time, now);
        break;
      }
    }
    if (missed > MOST_MISSED) {
      const words = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
      this.#tell("Warning", "TooManyMissedTimes", words);
    }
    return recent;
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
      if (!isControlledBy(created, this.#cronJob)) throw error;
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
