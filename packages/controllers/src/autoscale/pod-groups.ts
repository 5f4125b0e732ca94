import { parseQuantity } from "@boxship/api";
import { conditionOf, isTerminating, millisecondsOf } from "../shared/pods.ts";
import type { Pod } from "../types/pod.ts";

/** An amount in thousandths, rounded up, as upstream counts; undefined for what is none. */
export function thousandths(quantity: string): bigint | undefined {
  const nano = parseQuantity(quantity)?.nano;
  if (nano === undefined) return undefined;
  return nano / 1_000_000n + (nano % 1_000_000n > 0n ? 1n : 0n);
}

/** What a pod uses, in thousandths, and when it was measured over how long. */
export interface PodMetric {
  readonly value: bigint;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** Pods by what their numbers are worth. */
export interface PodGroups {
  readonly ready: number;
  readonly unready: ReadonlySet<string>;
  /** Nothing is known of them. */
  readonly missing: ReadonlySet<string>;
  /** On their way out. */
  readonly ignored: ReadonlySet<string>;
}

/** A pod that starts uses much CPU for so long, whatever it serves. */
const CPU_STARTS_MS = 300_000;
/** Until a pod that was never ready counts as one that failed. */
const FIRST_READY_MS = 30_000;

export function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, now: number): PodGroups {
  let ready = 0;
  const [unready, missing, ignored] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const pod of pods) {
    const { name = "" } = pod.metadata;
    const metric = metrics.get(name);
    if (isTerminating(pod) || pod.status?.phase === "Failed") ignored.add(name);
    else if (pod.status?.phase === "Pending") unready.add(name);
    else if (metric === undefined) missing.add(name);
    else if (resource === "cpu" && isStarting(pod, metric, now)) unready.add(name);
    else ready++;
  }
  return { ready, unready, missing, ignored };
}

function isStarting(pod: Pod, metric: PodMetric, now: number): boolean {
  const condition = conditionOf(pod.status, "Ready");
  if (condition === undefined || pod.status?.startTime === undefined) return true;
  const started = millisecondsOf(pod.status.startTime);
  const since = millisecondsOf(condition.lastTransitionTime);
  if (started + CPU_STARTS_MS > now) return condition.status === "False" || metric.at < since + metric.windowMs;
  return condition.status === "False" && started + FIRST_READY_MS > since;
}
