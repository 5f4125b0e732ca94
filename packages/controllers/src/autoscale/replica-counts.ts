import { FailedPrecondition } from "@boxship/base";
import type { Pod } from "../types/pod.ts";
import { groupPods, type PodMetric, type PodMetrics, thousandths } from "./pod-groups.ts";

/** How far a ratio may be from 1 before anything is done, down and up. */
export interface Tolerance {
  readonly down: number;
  readonly up: number;
}

export interface PodCounting {
  /** As the target's scale says. */
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly metrics: PodMetrics;
  readonly tolerance: Tolerance;
  readonly now: number;
}

/** How many pods there should be by one metric, and what it is now. */
export interface Count {
  readonly replicas: number;
  /** Thousandths, of one pod. */
  readonly average: bigint;
  /** Percent of what was asked for. */
  readonly utilization?: number;
}

export const isTolerated = (ratio: number, { down, up }: Tolerance): boolean => 1 - down <= ratio && ratio <= 1 + up;

/** What the pods use, as a part of what they should. */
interface Usage extends Omit<Count, "replicas"> {
  readonly ratio: number;
}

/** What is taken for a pod whose number is missing. */
type Fallback = (pod: string) => bigint;

/** By what pods use on average, in thousandths. */
export function countByAverage(target: bigint, counting: PodCounting, resource = ""): Count {
  return count(
    counting,
    resource,
    () => target,
    (metrics) => {
      const average = sum(metrics) / BigInt(Math.max(1, metrics.size));
      return { ratio: Number(average) / Number(target), average };
    },
  );
}

/** By what pods use of what they ask for, in percent. */
export function countByUtilization(
  target: number,
  resource: string,
  counting: PodCounting,
  container: string | undefined,
): Count {
  const requests = new Map<string, bigint>();
  for (const pod of counting.pods) requests.set(pod.metadata.name ?? "", requestOf(pod, resource, container));
  const most = BigInt(Math.max(100, Math.ceil(target)));
  const fallback: Fallback = (pod) => ((requests.get(pod) ?? 0n) * most) / 100n;
  return count(counting, resource, fallback, (metrics) => {
    const known = [...metrics].filter(([pod]) => requests.has(pod));
    const used = known.reduce((total, [, { value }]) => total + value, 0n);
    const asked = known.reduce((total, [pod]) => total + (requests.get(pod) ?? 0n), 0n);
    if (asked === 0n) throw new FailedPrecondition("no metrics returned matched known pods");
    const utilization = Number((used * 100n) / asked);
    return { ratio: utilization / target, utilization, average: used / BigInt(Math.max(1, known.length)) };
  });
}

const sum = (metrics: PodMetrics): bigint => [...metrics.values()].reduce((total, { value }) => total + value, 0n);

/**
 * Upstream's caution: pods of which nothing is known count as if they stood in the way of any change, and pods that are
 * not ready as if they used nothing, so that one that is starting does not call for more.
 */
function count(
  { current, pods, metrics, tolerance, now }: PodCounting,
  resource: string,
  fallback: Fallback,
  usageOf: (metrics: PodMetrics) => Usage,
): Count {
  if (pods.length === 0) throw new FailedPrecondition("no pods returned by selector while calculating replica count");
  const { ready, unready, missing, ignored } = groupPods(pods, metrics, resource, now);
  const counted = new Map<string, PodMetric>(metrics);
  for (const name of [...ignored, ...unready]) counted.delete(name);
  if (counted.size === 0) {
    throw new FailedPrecondition("did not receive metrics for targeted pods (pods might be unready)");
  }
  const { ratio, ...shown } = usageOf(counted);
  const same = { replicas: current, ...shown };
  const upWithUnready = unready.size > 0 && ratio > 1;
  if (!upWithUnready && missing.size === 0) {
    return isTolerated(ratio, tolerance) ? same : { ...same, replicas: Math.ceil(ratio * ready) };
  }
  const assume = (names: ReadonlySet<string>, value: Fallback): void => {
    for (const name of names) counted.set(name, { value: value(name), at: now, windowMs: 0 });
  };
  if (ratio < 1) assume(missing, fallback);
  else if (ratio > 1) assume(missing, () => 0n);
  if (upWithUnready) assume(unready, () => 0n);
  const { ratio: cautious } = usageOf(counted);
  if (isTolerated(cautious, tolerance) || (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1)) return same;
  const replicas = Math.ceil(cautious * counted.size);
  if ((cautious < 1 && replicas > current) || (cautious > 1 && replicas < current)) return same;
  return { ...same, replicas };
}

interface Requests {
  readonly requests?: { readonly [name: string]: string };
}

/** What a pod asks for as a whole counts instead of what its containers do, unless a single one is meant. */
function requestOf(pod: Pod, resource: string, container: string | undefined): bigint {
  const { metadata, spec } = pod;
  const whole = ((spec?.["resources"] ?? {}) as Requests).requests ?? {};
  if (container !== undefined || Object.keys(whole).length === 0) return containersRequest(pod, resource, container);
  const own = containersOf(pod).flatMap((one) => requestedBy(one, resource) ?? []);
  const asked = whole[resource];
  if (asked === undefined && own.length === 0)
    throw new FailedPrecondition(`missing pod-level request for ${resource} in Pod ${metadata.name}`);
  return asked === undefined ? own.reduce((total, one) => total + one, 0n) : (thousandths(asked) ?? 0n);
}

type Container = NonNullable<NonNullable<Pod["spec"]>["containers"]>[number];

const containersOf = ({ spec }: Pod): readonly Container[] => [
  ...(spec?.containers ?? []),
  ...(spec?.initContainers ?? []).filter((one) => one["restartPolicy"] === "Always"),
];

function requestedBy({ resources }: Container, resource: string): bigint | undefined {
  const asked = ((resources ?? {}) as Requests).requests?.[resource];
  return asked === undefined ? undefined : thousandths(asked);
}

function containersRequest(pod: Pod, resource: string, container: string | undefined): bigint {
  const { name: podName } = pod.metadata;
  const meant = containersOf(pod).filter(({ name }) => container === undefined || name === container);
  if (meant.length === 0) throw new FailedPrecondition(`container ${container} not found in Pod ${podName}`);
  return meant.reduce((total, one) => {
    const asked = requestedBy(one, resource);
    if (asked !== undefined) return total + asked;
    throw new FailedPrecondition(`missing request for ${resource} in container ${one.name} of Pod ${podName}`);
  }, 0n);
}

/** By one number for all pods together. @param ready pods that are ready now */
export function countByRatio(ratio: number, current: number, ready: number, tolerance: Tolerance): number {
  if (current === 0) return Math.ceil(ratio);
  return isTolerated(ratio, tolerance) ? current : Math.ceil(ratio * ready);
}

/** By one number that the pods share. @param replicas that there are now */
export function countByShare(value: bigint, average: bigint, replicas: number, tolerance: Tolerance): number {
  const ratio = Number(value) / (Number(average) * replicas);
  return replicas > 0 && isTolerated(ratio, tolerance) ? replicas : Number((value + average - 1n) / average);
}
