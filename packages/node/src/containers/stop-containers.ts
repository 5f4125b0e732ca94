import { ContainerState } from "@boxship/cri";
import type { NodeContext } from "../agent/node-context.ts";
import type { ObservedContainer, ObservedPod } from "../pods/observed.ts";
import { type ContainerSpec, everyContainer, fieldPathOf, isSidecar, type Pod } from "../types.ts";
import { runHook } from "./run-hook.ts";

export interface StopRequest {
  readonly pod: Pod;
  readonly spec: ContainerSpec;
  readonly containerId: string;
  readonly seconds: number;
  /** For the event. */
  readonly why: string;
  /** Aborted when there is no more time for hooks. */
  readonly hurry?: AbortSignal;
}

/** Ends one container: its hook and its stop signal share the time that there is. */
export async function stopOne(context: NodeContext, request: StopRequest): Promise<void> {
  const { cri, clock, events } = context;
  const { pod, spec, containerId, seconds, why } = request;
  events.record(pod, "Normal", "Killing", why, fieldPathOf(pod, spec));
  const deadline = clock.monotonic() + seconds * 1000;
  if (seconds > 0) await preStop(context, request);
  // Who used all of it up in his hook still gets a moment for the signal.
  const left =
    request.hurry?.aborted === true ? 0 : Math.max(seconds > 0 ? 2 : 0, (deadline - clock.monotonic()) / 1000);
  await cri.stopContainer({ containerId, timeout: Math.ceil(left) });
}

async function preStop(context: NodeContext, { pod, spec, containerId, seconds, hurry }: StopRequest): Promise<void> {
  const hook = spec.lifecycle?.preStop;
  if (hook === undefined) return;
  const late = new AbortController();
  using _timer = context.clock.setTimeout(seconds * 1000, () => late.abort());
  const signal = hurry === undefined ? late.signal : AbortSignal.any([late.signal, hurry]);
  const cut = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  const podIP = pod.status?.podIP ?? "";
  const timeoutSeconds = Math.max(1, seconds);
  const hooked = runHook(context, { pod, spec, hook, containerId, podIP, timeoutSeconds, signal });
  if ((await Promise.race([hooked, cut])) === undefined) return;
  // What it printed may be secret.
  context.events.record(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", fieldPathOf(pod, spec));
}

/** Ends all containers of a pod: all but the sidecars at once, then those, the last one first. */
export async function stopAll(
  context: NodeContext,
  pod: Pod,
  observed: ObservedPod,
  { seconds, hurry }: { readonly seconds: number; readonly hurry: AbortSignal },
): Promise<void> {
  const deadline = context.clock.monotonic() + seconds * 1000;
  const stop = async (spec: ContainerSpec): Promise<void> => {
    const left = Math.max(0, Math.ceil((deadline - context.clock.monotonic()) / 1000));
    const why = `Stopping container ${spec.name}`;
    await Promise.all(
      running(observed, spec.name).map((container) =>
        stopOne(context, {
          pod,
          spec,
          containerId: container.status.id,
          seconds: hurry.aborted ? 0 : left,
          why,
          hurry,
        }),
      ),
    );
  };
  // Elsewhere the same policy makes none of a container.
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  await Promise.all([...everyContainer(pod)].filter((one) => !sidecars.includes(one)).map(stop));
  for (const sidecar of sidecars.reverse()) await stop(sidecar);
}

/** Containers of a name that have a process. */
export function running(observed: ObservedPod, name: string): readonly ObservedContainer[] {
  return (observed.containers.get(name) ?? []).filter(({ status }) => status.state === ContainerState.Running);
}
