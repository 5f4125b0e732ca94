import type { Clock } from "@boxship/base";
import type { Condition, Pod, PodTemplate } from "../types/pod.ts";

export function conditionOf(of: { conditions?: Condition[] } | undefined, type: string): Condition | undefined {
  return of?.conditions?.find((one) => one.type === type);
}

export const isReady = (pod: Pod): boolean => conditionOf(pod.status, "Ready")?.status === "True";

export const isTerminating = ({ metadata }: { metadata: { deletionTimestamp?: string } }): boolean =>
  metadata.deletionTimestamp !== undefined;

export const isFinished = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Neither at its end nor on the way there. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isTerminating(pod);

/** Milliseconds until a pod that is ready counts as available; 0: it does; undefined: it is not ready. */
export function untilAvailable(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const ready = conditionOf(pod.status, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const since = Date.parse(ready.lastTransitionTime ?? "");
  return Number.isNaN(since) ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

export function isAvailable(pod: Pod, minReadySeconds: number, clock: Clock): boolean {
  return untilAvailable(pod, minReadySeconds, clock.now()) === 0;
}

/** The shortest wait until one more of the pods is available; undefined where none is on its way. */
export function nextAvailable(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  const waits = pods.map((pod) => untilAvailable(pod, minReadySeconds, now) ?? 0).filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** A pod as a template describes it, without a name. */
export function podOfTemplate({ metadata = {}, spec = {} }: PodTemplate): Pod {
  const { labels, annotations, finalizers } = metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...(labels === undefined ? {} : { labels: { ...labels } }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
      ...(finalizers === undefined ? {} : { finalizers: [...finalizers] }),
    },
    spec: structuredClone(spec),
  };
}

export const millisecondsOf = (time: string | undefined): number => Date.parse(time ?? "");

/** Older first, and by name where they are of one second. */
export function byAge(
  left: { metadata: { creationTimestamp?: string; name?: string } },
  right: { metadata: { creationTimestamp?: string; name?: string } },
): number {
  const [a = "", b = ""] = [left.metadata.creationTimestamp, right.metadata.creationTimestamp];
  if (a !== b) return a < b ? -1 : 1;
  return (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1;
}
