import { deepCopy, deepEqual, selectorOf, timestamp } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext } from "../contract.ts";
import { rankForDeletion } from "../replicaset/rank-pods.ts";
import { candidatesFor, claimObjects } from "../shared/claim.ts";
import { createPod, deletePod, isNamespaceTerminating } from "../shared/pod-control.ts";
import { conditionOf, isReady, isTerminating } from "../shared/pods.ts";
import { JOBS, PODS, refOf } from "../shared/resources.ts";
import { slowStart } from "../shared/slow-start.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Job, JobStatus } from "../types/jobs.ts";
import type { Condition, Pod } from "../types/pod.ts";
import { indexWait, type JobBackoff } from "./backoff.ts";
import {
  failuresBefore,
  indexOf,
  isIndexed,
  type PodPlan,
  podOfJob,
  replacesFailedOnly,
  TRACKING,
} from "./job-pods.ts";
import { type JobState, type Outcome, outcomeOf, stateOf } from "./job-state.ts";

/** Pods that one look makes or deletes at most. */
const BURST = 500;
/** Pods that are counted in one go: their uids are in the status meanwhile. */
const COUNTED_AT_ONCE = 500;

/** One look at one job that is not over. */
export class JobLook {
  readonly #context: ControllerContext;
  readonly #backoff: JobBackoff;
  readonly #key: string;
  #job: Job;

  constructor(context: ControllerContext, backoff: JobBackoff, job: Job) {
    this.#context = context;
    this.#backoff = backoff;
    this.#key = keyOf(job);
    this.#job = job;
  }

  get #now(): number {
    return this.#context.clock.now();
  }

  async run(): Promise<void> {
    const pods = await this.#pods();
    const state = stateOf(this.#job, pods);
    this.#backoff.count(this.#key, state.newSucceeded, state.newFailed, this.#now);
    const outcome = outcomeOf(this.#job, state, this.#now);
    const status = this.#begin();
    let failure: unknown;
    if (!isTerminating(this.#job)) failure = await this.#manage(state, outcome);
    await this.#track(status, pods, state, outcome);
    if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
  }

  async #pods(): Promise<readonly Pod[]> {
    const { client, informers } = this.#context;
    return await claimObjects<Pod>({
      client,
      owner: this.#job,
      ownerResource: JOBS,
      resource: PODS,
      selector: selectorOf(this.#job.spec?.selector) ?? [],
      candidates: candidatesFor(informers.of<Pod>(PODS), this.#job),
      finalizer: TRACKING,
    });
  }

  /** The status as this look will leave it: when the job began, and whether it is suspended. */
  #begin(): JobStatus {
    const status = deepCopy(this.#job.status ?? {});
    const { suspend = false, activeDeadlineSeconds } = this.#job.spec ?? {};
    const time = timestamp(this.#now);
    const suspended = conditionOf(status, "Suspended")?.status === "True";
    if (suspend) delete status.startTime;
    else if (status.startTime === undefined) {
      status.startTime = time;
      if (activeDeadlineSeconds !== undefined) this.#context.queue.addAfter(this.#key, activeDeadlineSeconds * 1000);
    } else if (activeDeadlineSeconds !== undefined) {
      const over = Date.parse(status.startTime) + activeDeadlineSeconds * 1000;
      if (over > this.#now) this.#context.queue.addAfter(this.#key, over - this.#now);
    }
    if (suspend === suspended) return status;
    const [state, reason, message] = suspend
      ? (["True", "JobSuspended", "Job suspended"] as const)
      : (["False", "JobResumed", "Job resumed"] as const);
    if (!suspend && conditionOf(status, "Suspended") === undefined) return status;
    status.conditions = withJobCondition(
      status.conditions,
      { type: "Suspended", status: state, reason, message },
      time,
    );
    this.#context.events.record(this.#job, "Normal", suspend ? "Suspended" : "Resumed", message);
    return status;
  }

  /** Makes pods and deletes them. @returns what went wrong */
  async #manage(state: JobState, outcome: Outcome | undefined): Promise<unknown> {
    const { spec = {} } = this.#job;
    if (outcome !== undefined || spec.suspend === true) return await this.#delete(state.active);
    const surplus = this.#surplus(state);
    if (surplus.length > 0) return await this.#delete(surplus.slice(0, BURST));
    const wanted = wantedActive(this.#job, state);
    const ending = replacesFailedOnly(this.#job) ? state.ending : 0;
    const missing = Math.min(wanted - state.active.length - ending, BURST);
    return missing > 0 ? await this.#create(state, missing) : undefined;
  }

  /** Active pods that are too many, of no index, or twice of one. */
  #surplus(state: JobState): readonly Pod[] {
    const ranked = rankForDeletion(state.active, new Map(), this.#now);
    const surplus: Pod[] = [];
    if (isIndexed(this.#job)) {
      const seen = new Set<number>();
      for (const pod of ranked.toReversed()) {
        const index = indexOf(pod);
        const fits = index !== undefined && index < (this.#job.spec?.completions ?? 0) && !seen.has(index);
        if (fits) seen.add(index);
        else surplus.push(pod);
      }
    }
    const tooMany = state.active.length - surplus.length - wantedActive(this.#job, state);
    const others = ranked.filter((pod) => !surplus.includes(pod));
    return [...surplus, ...others.slice(0, Math.max(0, tooMany))];
  }

  async #delete(pods: readonly Pod[]): Promise<unknown> {
    const settled = await Promise.allSettled(pods.map((pod) => deletePod(this.#context, this.#job, pod)));
    return settled.find((one) => one.status === "rejected")?.reason;
  }

  async #create(state: JobState, missing: number): Promise<unknown> {
    const plans = isIndexed(this.#job) ? this.#indexPlans(state, missing) : this.#plans(missing);
    const { error } = await slowStart(plans.length, async (at) => {
      await createPod(this.#context, this.#job, podOfJob(this.#job, plans[at] ?? {}));
    });
    return error;
  }

  #plans(missing: number): readonly PodPlan[] {
    return this.#mustWait() ? [] : Array.from({ length: missing }, () => ({}));
  }

  #mustWait(): boolean {
    const wait = this.#backoff.wait(this.#key, this.#now);
    if (wait > 0) this.#context.queue.addAfter(this.#key, wait);
    return wait > 0;
  }

  #indexPlans(state: JobState, missing: number): readonly PodPlan[] {
    const { completions = 0, backoffLimitPerIndex } = this.#job.spec ?? {};
    const perIndex = backoffLimitPerIndex !== undefined;
    if (!perIndex && this.#mustWait()) return [];
    const taken = new Set(state.active.map(indexOf));
    const plans: PodPlan[] = [];
    for (let index = 0; index < completions && plans.length < missing; index++) {
      if (taken.has(index) || state.completedIndexes.has(index) || state.failedIndexes.has(index)) continue;
      const last = state.lastFailed.get(index);
      const wait = last === undefined ? 0 : indexWait(last, this.#now);
      if (wait > 0) this.#context.queue.addAfter(this.#key, wait);
      else plans.push({ index, ...(perIndex ? { failures: last === undefined ? 0 : failuresBefore(last) + 1 } : {}) });
    }
    return plans;
  }

  /**
   * Counts pods that have ended, so that each counts once whatever happens in between: their uids are written into the
   * status, then they are let go, then the numbers go up and the uids out.
   */
  async #track(
    status: JobStatus,
    before: readonly Pod[],
    state: JobState,
    outcome: Outcome | undefined,
  ): Promise<void> {
    const isDone = outcome !== undefined;
    const uncounted = status.uncountedTerminatedPods ?? {};
    const indexed = isIndexed(this.#job);
    const succeeded = state.newSucceeded.slice(0, COUNTED_AT_ONCE);
    const failed = state.newFailed.slice(0, COUNTED_AT_ONCE);
    const uids = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.uid ?? "");
    const counted = failed.filter((pod) => !state.ignored.has(pod));
    const lists = {
      succeeded: [...(uncounted.succeeded ?? []), ...(indexed ? [] : uids(succeeded))],
      failed: [...(uncounted.failed ?? []), ...uids(counted)],
    };
    this.#count(status, state, await this.#pods());
    if (indexed) Object.assign(status, indexFields(this.#job, state));
    if (isDone)
      status.conditions = withJobCondition(status.conditions, { ...outcome, status: "True" }, timestamp(this.#now));
    const isNew = succeeded.length + counted.length > 0;
    if (isNew) await this.#write({ ...status, uncountedTerminatedPods: withoutEmpty(lists) });
    const known = new Set([...lists.succeeded, ...lists.failed, ...uids(succeeded), ...uids(failed)]);
    await Promise.all(before.filter(({ metadata }) => known.has(metadata.uid ?? "")).map((pod) => this.#letGo(pod)));
    status.succeeded = indexed ? state.completedIndexes.size : (status.succeeded ?? 0) + lists.succeeded.length;
    status.failed = (status.failed ?? 0) + lists.failed.length;
    status.uncountedTerminatedPods = {};
    const all = state.newSucceeded.length === succeeded.length && state.newFailed.length === failed.length;
    if (!all) this.#context.queue.add(this.#key);
    if (isDone && all && (status.active ?? 0) === 0 && (status.terminating ?? 0) === 0) this.#finish(status, outcome);
    await this.#write(status);
  }

  #count(status: JobStatus, { newSucceeded, newFailed }: JobState, pods: readonly Pod[]): void {
    const ended = new Set([...newSucceeded, ...newFailed].map(({ metadata }) => metadata.uid));
    const now = stateOf(this.#job, pods);
    const active = now.active.filter(({ metadata }) => !ended.has(metadata.uid));
    status.active = active.length;
    status.ready = active.filter(isReady).length;
    status.terminating = now.ending;
  }

  #finish(status: JobStatus, { type, reason, message }: Outcome): void {
    const time = timestamp(this.#now);
    const complete = type === "SuccessCriteriaMet";
    const condition = { type: complete ? "Complete" : "Failed", status: "True", reason, message };
    status.conditions = withJobCondition(status.conditions, condition, time);
    if (complete) status.completionTime = time;
    if (complete) this.#context.events.record(this.#job, "Normal", "Completed", "Job completed");
    else this.#context.events.record(this.#job, "Warning", reason, message);
    this.#backoff.forget(this.#key);
  }

  async #letGo(pod: Pod): Promise<void> {
    await removeTracking(this.#context, pod);
  }

  async #write(status: JobStatus): Promise<void> {
    const tidy = withoutZeros(status);
    if (deepEqual(tidy, withoutZeros(this.#job.status ?? {}))) return;
    this.#job = await writeStatus(this.#context.client, refOf(JOBS, this.#job), this.#job, tidy);
  }
}

/** Lets a pod go that was counted, or that nobody will count. */
export async function removeTracking({ client }: Pick<ControllerContext, "client">, pod: Pod): Promise<void> {
  const { uid, resourceVersion, finalizers = [] } = pod.metadata;
  if (!finalizers.includes(TRACKING)) return;
  const left = finalizers.filter((one) => one !== TRACKING);
  try {
    await client.patch(refOf(PODS, pod), "merge", { metadata: { uid, resourceVersion, finalizers: left } });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

function wantedActive({ spec = {} }: Job, { active, succeeded, failedIndexes }: JobState): number {
  const { parallelism = 1, completions } = spec;
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded - failedIndexes.size, parallelism));
}

function indexFields({ spec }: Job, { completedIndexes, failedIndexes }: JobState): JobStatus {
  return {
    completedIndexes: completedIndexes.toString(),
    ...(spec?.backoffLimitPerIndex === undefined ? {} : { failedIndexes: failedIndexes.toString() }),
  };
}

function withJobCondition(conditions: readonly Condition[] = [], condition: Condition, time: string): Condition[] {
  const present = conditions.find(({ type }) => type === condition.type);
  if (present?.status === condition.status) return [...conditions];
  const dated = { ...condition, lastProbeTime: time, lastTransitionTime: time };
  return [...conditions.filter(({ type }) => type !== condition.type), dated];
}

/** Numbers that are zero are absent, but for `ready` and `terminating`, which upstream always tells. */
function withoutZeros(status: JobStatus): JobStatus {
  const always = new Set(["ready", "terminating"]);
  return Object.fromEntries(Object.entries(status).filter(([field, value]) => value !== 0 || always.has(field)));
}

function withoutEmpty(lists: { succeeded: string[]; failed: string[] }) {
  return {
    ...(lists.succeeded.length === 0 ? {} : { succeeded: lists.succeeded }),
    ...(lists.failed.length === 0 ? {} : { failed: lists.failed }),
  };
}
