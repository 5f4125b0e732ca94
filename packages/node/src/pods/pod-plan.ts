import { ContainerState } from "@boxship/cri";
import { hashOf } from "../containers/container-config.ts";
import { ANNOTATION } from "../labels.ts";
import { type ContainerSpec, isSidecar, type Pod } from "../types.ts";
import { attemptOf, type ObservedContainer, type ObservedPod } from "./observed.ts";
import { startsAgain } from "./restart-policy.ts";

/** What is to be done for a pod that is meant to run. */
export interface PodPlan {
  /** Its containers have done what they were for, or failed for good: nothing of it is to run. */
  readonly over: boolean;
  /** In order; the first ones are needed before the next. */
  readonly start: readonly StartPlan[];
  readonly stop: readonly StopPlan[];
}

export interface StartPlan {
  readonly spec: ContainerSpec;
  readonly attempt: number;
  /** The run before, and when it ended: milliseconds since the epoch. */
  readonly endedAt?: number;
  /** What is there under this attempt and was never started. */
  readonly discard?: string;
}

export interface StopPlan {
  readonly spec: ContainerSpec;
  readonly container: ObservedContainer;
  readonly why: string;
  readonly seconds?: number;
}

export interface PlanFacts {
  /** Probes of a running container, by its id. */
  readonly probes: (
    id: string,
  ) =>
    | { readonly started: boolean; readonly unhealthy?: { readonly kind: string; readonly seconds?: number } }
    | undefined;
  /** The sandbox that containers are started in; others are of the past. */
  readonly sandboxId: string | undefined;
}

type Run = "absent" | "created" | "running" | "succeeded" | "failed";

/** Decides from what there is; it remembers nothing. */
export function planPod(pod: Pod, observed: ObservedPod, facts: PlanFacts): PodPlan {
  const plan = planContainers(pod, observed, facts);
  return plan.over ? plan : { ...plan, start: [...plan.start, ...ephemeralStarts(pod, observed, facts)] };
}

/** Those that were added to look into the pod: once each, when there is something to look into. */
function ephemeralStarts({ spec }: Pod, observed: ObservedPod, { sandboxId }: PlanFacts): readonly StartPlan[] {
  if (sandboxId === undefined) return [];
  return (spec.ephemeralContainers ?? []).flatMap((one): StartPlan[] => {
    const [newest] = observed.containers.get(one.name) ?? [];
    if (newest !== undefined && newest.status.state !== ContainerState.Created) return [];
    return [startOf(one, newest)];
  });
}

function planContainers(pod: Pod, observed: ObservedPod, facts: PlanFacts): PodPlan {
  const { initContainers = [], containers } = pod.spec;
  const newest = ({ name }: ContainerSpec) => observed.containers.get(name)?.[0];
  const stop = stops(pod, observed, facts);
  const begun = containers.some((spec) => isCurrent(newest(spec), facts));
  const start: StartPlan[] = [];
  for (const spec of initContainers) {
    const run = runOf(newest(spec), facts);
    if (isSidecar(spec)) {
      if (run !== "running") start.push(startOf(spec, newest(spec)));
      const probes = facts.probes(newest(spec)?.status.id ?? "");
      if (!begun && !(run === "running" && probes?.started === true)) return { over: false, start, stop };
      continue;
    }
    if (begun || run === "succeeded") continue;
    if (run === "failed" && !startsAgain(pod, spec, newest(spec)?.status.exitCode ?? 0))
      return { over: true, start: [], stop };
    if (run !== "running") start.push(startOf(spec, newest(spec)));
    return { over: false, start, stop };
  }
  const open = containers.filter((spec) => !isDone(pod, spec, newest(spec)));
  if (open.length === 0) return { over: true, start: [], stop };
  for (const spec of open) {
    if (runOf(newest(spec), facts) !== "running") start.push(startOf(spec, newest(spec)));
  }
  return { over: false, start, stop };
}

/** Ended as the policies say that it stays. */
function isDone(pod: Pod, spec: ContainerSpec, container: ObservedContainer | undefined): boolean {
  if (container?.status.state !== ContainerState.Exited) return false;
  return !startsAgain(pod, spec, container.status.exitCode);
}

const isCurrent = (container: ObservedContainer | undefined, { sandboxId }: PlanFacts): boolean =>
  container !== undefined && container.sandboxId === sandboxId;

function runOf(container: ObservedContainer | undefined, facts: PlanFacts): Run {
  if (container === undefined || !isCurrent(container, facts)) return "absent";
  const { state, exitCode } = container.status;
  if (state === ContainerState.Running) return "running";
  if (state === ContainerState.Created) return "created";
  return exitCode === 0 ? "succeeded" : "failed";
}

function startOf(spec: ContainerSpec, before: ObservedContainer | undefined): StartPlan {
  if (before === undefined) return { spec, attempt: 0 };
  const { status } = before;
  // Cut off between the two calls: nobody has seen it run.
  if (status.state === ContainerState.Created) return { spec, attempt: attemptOf(before), discard: status.id };
  return { spec, attempt: attemptOf(before) + 1, endedAt: Number(status.finishedAt / 1_000_000n) };
}

function stops(pod: Pod, observed: ObservedPod, facts: PlanFacts): readonly StopPlan[] {
  const plans: StopPlan[] = [];
  for (const spec of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const container = observed.containers.get(spec.name)?.[0];
    if (container?.status.state !== ContainerState.Running) continue;
    const { id, annotations } = container.status;
    const unhealthy = facts.probes(id)?.unhealthy;
    if (annotations[ANNOTATION.hash] !== hashOf(spec)) {
      plans.push({ spec, container, why: `Container ${spec.name} definition changed, will be restarted` });
    } else if (unhealthy !== undefined) {
      const { kind, seconds } = unhealthy;
      const why = `Container ${spec.name} failed ${kind} probe, will be restarted`;
      plans.push({ spec, container, why, ...(seconds === undefined ? {} : { seconds }) });
    }
  }
  return plans;
}
