import type { KubeObject } from "@boxship/api";
import { indexedPrefix, podPrefix } from "../shared/long-names.ts";
import { conditionOf, isFinished, isTerminating, podOfTemplate } from "../shared/pods.ts";
import type { Job } from "../types/jobs.ts";
import type { Container, Pod } from "../types/pod.ts";

/** Keeps a pod that has ended until it is counted. */
export const TRACKING = "batch.kubernetes.io/job-tracking";
const INDEX = "batch.kubernetes.io/job-completion-index";
const FAILURES = "batch.kubernetes.io/job-index-failure-count";

export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === "Indexed";

export const isTracked = ({ metadata }: KubeObject): boolean => metadata.finalizers?.includes(TRACKING) === true;

/** Undefined for a pod that has none, or none that makes sense. */
export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[INDEX] ?? metadata.labels?.[INDEX] ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** How often the pod's index had failed when the pod was made. */
export function failuresBefore({ metadata }: Pod): number {
  return Number(metadata.annotations?.[FAILURES] ?? 0) || 0;
}

/** Whether pods on their way out are replaced only when they have ended. */
export const replacesFailedOnly = ({ spec }: Job): boolean =>
  spec?.podFailurePolicy !== undefined || spec?.podReplacementPolicy === "Failed";

export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === "Failed") return true;
  return !replacesFailedOnly(job) && isTerminating(pod) && pod.status?.phase !== "Succeeded";
}

export const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === "Succeeded";

export const isEnding = (pod: Pod): boolean => isTerminating(pod) && !isFinished(pod);

/** When a pod ended, in milliseconds; what tells least exactly comes last. */
export function endOf({ status, metadata }: Pod, now: number): number {
  const finished = (status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ""),
  );
  const latest = Math.max(...finished.filter((time) => !Number.isNaN(time)));
  if (Number.isFinite(latest)) return latest;
  const ready = Date.parse(conditionOf(status, "Ready")?.lastTransitionTime ?? "");
  if (!Number.isNaN(ready)) return ready;
  const deleted = Date.parse(metadata.deletionTimestamp ?? "");
  return Number.isNaN(deleted) ? now : Math.min(deleted, now);
}

export interface PodPlan {
  readonly index?: number;
  /** Of the index, before. */
  readonly failures?: number;
}

/** A pod of the job, to be created. */
export function podOfJob(job: Job, { index, failures }: PodPlan): Pod {
  const pod = podOfTemplate(job.spec?.template ?? {});
  const { name = "" } = job.metadata;
  pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), TRACKING];
  pod.metadata.generateName = index === undefined ? podPrefix(name) : indexedPrefix(name, index);
  if (index === undefined) return pod;
  pod.metadata.labels = { ...pod.metadata.labels, [INDEX]: `${index}` };
  pod.metadata.annotations = { ...pod.metadata.annotations, [INDEX]: `${index}` };
  if (failures !== undefined) pod.metadata.annotations[FAILURES] = `${failures}`;
  if (pod.spec !== undefined) {
    pod.spec.hostname = `${name}-${index}`;
    for (const container of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) tellIndex(container);
  }
  return pod;
}

function tellIndex(container: Container): void {
  if (container.env?.some(({ name }) => name === "JOB_COMPLETION_INDEX") === true) return;
  const fieldRef = { fieldPath: `metadata.labels['${INDEX}']` };
  container.env = [...(container.env ?? []), { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef } }];
}
