import { conditionOf, isActive } from "../shared/pods.ts";
import type { Job, JobStatus } from "../types/jobs.ts";
import type { Condition, Pod } from "../types/pod.ts";
import { judge } from "./failure-policy.ts";
import { Indexes } from "./indexes.ts";
import { failuresBefore, hasFailed, hasSucceeded, indexOf, isEnding, isIndexed, isTracked } from "./job-pods.ts";

/** What a job decides to become. */
export interface Outcome {
  readonly type: "FailureTarget" | "SuccessCriteriaMet";
  readonly reason: string;
  readonly message: string;
}

/** What a job's pods say, and what its status already knows. */
export interface JobState {
  readonly active: readonly Pod[];
  readonly ending: number;
  /** Ended, tracked, and in no list of the status yet. */
  readonly newSucceeded: readonly Pod[];
  readonly newFailed: readonly Pod[];
  /** Of those that failed: they do not count. */
  readonly ignored: ReadonlySet<Pod>;
  /** Everything that succeeded and that failed so far. */
  readonly succeeded: number;
  readonly failed: number;
  /** Of indexed jobs. */
  readonly completedIndexes: Indexes;
  readonly failedIndexes: Indexes;
  /** The last failed pod of an index that may be tried again. */
  readonly lastFailed: ReadonlyMap<number, Pod>;
  readonly jobFailure: string | undefined;
}

export const isJobFinished = ({ status }: Job): boolean => finishOf(status) !== undefined;

/** The condition by which a job is over. */
export function finishOf(status: JobStatus | undefined): Condition | undefined {
  return ["Complete", "Failed"].flatMap((type) => conditionOf(status, type) ?? []).find((one) => one.status === "True");
}

/** Looks through the pods. */
export function stateOf(job: Job, pods: readonly Pod[]): JobState {
  const { status = {}, spec = {} } = job;
  const uncounted = status.uncountedTerminatedPods ?? {};
  const known = new Set([...(uncounted.succeeded ?? []), ...(uncounted.failed ?? [])]);
  const fresh = pods.filter((pod) => isTracked(pod) && !known.has(pod.metadata.uid ?? ""));
  const newSucceeded = fresh.filter(hasSucceeded);
  const newFailed = fresh.filter((pod) => hasFailed(job, pod));
  const verdicts = new Map(newFailed.map((pod) => [pod, judge(job, pod)]));
  const hasPlace = (pod: Pod): boolean => !isIndexed(job) || (indexOf(pod) ?? Number.NaN) < (spec.completions ?? 0);
  const ignored = new Set(newFailed.filter((pod) => verdicts.get(pod)?.action === "Ignore" || !hasPlace(pod)));
  const counted = newFailed.length - ignored.size + (uncounted.failed?.length ?? 0);
  const below = spec.completions ?? 0;
  const completedIndexes = isIndexed(job) ? Indexes.parse(status.completedIndexes, below) : new Indexes();
  for (const pod of isIndexed(job) ? pods.filter(hasSucceeded) : []) addBelow(completedIndexes, indexOf(pod), below);
  const { failedIndexes, lastFailed } = indexFailures(job, pods, completedIndexes);
  const succeededBefore = (status.succeeded ?? 0) + (uncounted.succeeded?.length ?? 0);
  return {
    active: pods.filter(isActive),
    ending: pods.filter(isEnding).length,
    newSucceeded,
    newFailed,
    ignored,
    succeeded: isIndexed(job) ? completedIndexes.size : succeededBefore + newSucceeded.length,
    failed: (status.failed ?? 0) + counted,
    completedIndexes,
    failedIndexes,
    lastFailed,
    jobFailure: [...verdicts.values()].find(({ action }) => action === "FailJob")?.message,
  };
}

function addBelow(indexes: Indexes, index: number | undefined, below: number): void {
  if (index !== undefined && index < below) indexes.add(index);
}

/** With a back-off for each index: which have failed for good, and the last failure of the others. */
function indexFailures(job: Job, pods: readonly Pod[], completed: Indexes) {
  const { completions = 0, backoffLimitPerIndex } = job.spec ?? {};
  const failedIndexes = Indexes.parse(job.status?.failedIndexes, completions);
  const lastFailed = new Map<number, Pod>();
  if (backoffLimitPerIndex === undefined) return { failedIndexes, lastFailed };
  for (const pod of pods.filter((one) => hasFailed(job, one))) {
    const index = indexOf(pod);
    if (index === undefined || index >= completions || completed.has(index)) continue;
    const { action } = judge(job, pod);
    if (action === "Ignore") continue;
    const failures = failuresBefore(pod);
    if (action === "FailIndex" || failures >= backoffLimitPerIndex) failedIndexes.add(index);
    const last = lastFailed.get(index);
    if (last === undefined || failuresBefore(last) <= failures) lastFailed.set(index, pod);
  }
  return { failedIndexes, lastFailed };
}

/** What the job becomes by what its pods say now; undefined while it goes on. */
export function outcomeOf(job: Job, state: JobState, now: number): Outcome | undefined {
  const { spec = {}, status = {} } = job;
  for (const type of ["SuccessCriteriaMet", "FailureTarget"] as const) {
    const decided = conditionOf(status, type);
    if (decided?.status === "True") return { type, reason: decided.reason ?? "", message: decided.message ?? "" };
  }
  return failureOf(job, state, now) ?? successOf(spec, state) ?? failedIndexesOf(spec, state);
}

const failure = (reason: string, message: string): Outcome => ({ type: "FailureTarget", reason, message });

function failureOf(job: Job, state: JobState, now: number): Outcome | undefined {
  const { spec = {}, status = {} } = job;
  if (state.jobFailure !== undefined) return failure("PodFailurePolicy", state.jobFailure);
  const { activeDeadlineSeconds, backoffLimit = 6, maxFailedIndexes } = spec;
  if (state.failed > backoffLimit || exceedsRestarts(job, state)) {
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const started = Date.parse(status.startTime ?? "");
  if (activeDeadlineSeconds !== undefined && spec.suspend !== true && now - started >= activeDeadlineSeconds * 1000) {
    return failure("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  if (spec.backoffLimitPerIndex === undefined) return undefined;
  if (maxFailedIndexes !== undefined && state.failedIndexes.size > maxFailedIndexes) {
    return failure("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  return undefined;
}

/** No index is left to be tried, and no success policy is content with those that there are. */
function failedIndexesOf(
  { backoffLimitPerIndex, completions = 0 }: NonNullable<Job["spec"]>,
  { failedIndexes, completedIndexes }: JobState,
): Outcome | undefined {
  const isOver = failedIndexes.size > 0 && failedIndexes.size + completedIndexes.size >= completions;
  return isOver && backoffLimitPerIndex !== undefined ? failure("FailedIndexes", "Job has failed indexes") : undefined;
}

/** Containers that are started again in their pods count, too. */
function exceedsRestarts({ spec }: Job, { active }: JobState): boolean {
  if (spec?.template?.spec?.restartPolicy !== "OnFailure") return false;
  const { backoffLimit = 6 } = spec;
  let restarts = 0;
  for (const { status } of active) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    for (const one of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
      restarts += one.restartCount ?? 0;
    }
  }
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

function successOf(spec: NonNullable<Job["spec"]>, state: JobState): Outcome | undefined {
  const { completions, successPolicy } = spec;
  for (const [at, { succeededIndexes, succeededCount }] of (successPolicy?.rules ?? []).entries()) {
    const wanted =
      succeededIndexes === undefined
        ? state.completedIndexes
        : new Indexes(
            [...Indexes.parse(succeededIndexes, completions ?? 0)].filter((one) => state.completedIndexes.has(one)),
          );
    const least = succeededCount ?? Indexes.parse(succeededIndexes, completions ?? 0).size;
    if (wanted.size >= least) {
      return { type: "SuccessCriteriaMet", reason: "SuccessPolicy", message: `Matched rules at index ${at}` };
    }
  }
  const complete =
    completions === undefined ? state.succeeded > 0 && state.active.length === 0 : state.succeeded >= completions;
  const message = "Reached expected number of succeeded pods";
  return complete ? { type: "SuccessCriteriaMet", reason: "CompletionsReached", message } : undefined;
}
