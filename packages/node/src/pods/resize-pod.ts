import { asBoxshipError } from "@boxship/base";
import type { LinuxContainerResources } from "@boxship/cri";
import type { NodeContext } from "../agent/node-context.ts";
import { containerResources } from "../containers/container-resources.ts";
import { running, stopOne } from "../containers/stop-containers.ts";
import { requestedBy } from "../pressure/rank-pods.ts";
import { amount } from "../status/qos.ts";
import { allContainers, type ContainerSpec, type Pod } from "../types.ts";
import type { ObservedPod } from "./observed.ts";
import { cgroupOf } from "./pod-config.ts";
import { limitPod } from "./pod-group.ts";

/** Why containers have not yet what their pod says, as a condition tells it. */
export interface ResizeState {
  readonly type: "PodResizePending" | "PodResizeInProgress";
  readonly reason: string;
  readonly message: string;
}

/** Whether a running container has what its pod says. */
export function isSized(spec: ContainerSpec, now: LinuxContainerResources | undefined): boolean {
  const { cpuShares, cpuQuota = 0, memoryLimitInBytes = 0 } = containerResources(spec);
  return (
    now === undefined ||
    (now.cpuShares === cpuShares && now.cpuQuota === cpuQuota && now.memoryLimitInBytes === memoryLimitInBytes)
  );
}

/**
 * Gives running containers what their pod says now, where it is another amount than before: in place, or by a new start where
 * the container asks for that.
 *
 * @param tried what each container was given last, by its id: what the machine has no means for is not tried again and again
 * @returns whether anything was changed, and why not, if they have not
 */
export async function resizePod(
  context: NodeContext,
  pod: Pod,
  observed: ObservedPod,
  tried: Map<string, string>,
): Promise<{ readonly resized: boolean; readonly state?: ResizeState }> {
  const unlike = allContainers(pod).flatMap((spec) =>
    running(observed, spec.name)
      .filter(({ status }) => !isSized(spec, status.resources?.linux))
      .map((container) => ({ spec, container, id: container.status.id, wanted: JSON.stringify(spec.resources ?? {}) })),
  );
  const open = unlike.filter(({ id, wanted }) => tried.get(id) !== wanted);
  if (open.length === 0) return { resized: false };
  const short = shortageFor(context, pod);
  if (short !== undefined) return { resized: false, state: short };
  const { cri, settings } = context;
  const group = cgroupOf(pod, settings);
  try {
    // More for the pod comes before more for a container, less after less: one of the two is refused.
    await limitPod(group, pod, settings.maxPids).catch(() => {});
    for (const { spec, container, id, wanted } of open) {
      tried.set(id, wanted);
      const now = container.status.resources?.linux;
      if (restarts(spec, now)) {
        const why = `Container ${spec.name} resize requires restart`;
        await stopOne(context, {
          pod,
          spec,
          containerId: id,
          seconds: pod.spec.terminationGracePeriodSeconds ?? 30,
          why,
        });
        continue;
      }
      const linux = { ...containerResources(spec), oomScoreAdj: now?.oomScoreAdj ?? 0 };
      await cri.updateContainerResources({ containerId: id, linux });
    }
    await limitPod(group, pod, settings.maxPids);
    context.events.record(pod, "Normal", "ResizeCompleted", "Pod resize completed");
    return { resized: true };
  } catch (error) {
    // A limit below what is used may be taken another time.
    for (const { id } of open) tried.delete(id);
    const { message } = asBoxshipError(error);
    return { resized: true, state: { type: "PodResizeInProgress", reason: "Error", message } };
  }
}

/** Whether the container wants to be started anew for what is another amount now. */
function restarts(spec: ContainerSpec, now: LinuxContainerResources | undefined): boolean {
  const { cpuShares, cpuQuota = 0, memoryLimitInBytes = 0 } = containerResources(spec);
  const changed = new Set<string>();
  if (now?.memoryLimitInBytes !== memoryLimitInBytes) changed.add("memory");
  if (now?.cpuShares !== cpuShares || now.cpuQuota !== cpuQuota) changed.add("cpu");
  return (spec.resizePolicy ?? []).some(
    ({ resourceName, restartPolicy }) => restartPolicy === "RestartContainer" && changed.has(resourceName),
  );
}

/** Whether the node has room for what the pod asks for now, beside the others. */
function shortageFor({ allocatable, pods }: NodeContext, pod: Pod): ResizeState | undefined {
  for (const name of ["cpu", "memory"]) {
    const capacity = amount(allocatable[name]);
    const wanted = requestedBy(pod, name);
    const numbers = `${name}, requested: ${wanted}, capacity: ${capacity}`;
    if (wanted > capacity) {
      const message = `Node didn't have enough capacity: ${numbers}`;
      return { type: "PodResizePending", reason: "Infeasible", message };
    }
    let used = 0;
    for (const other of pods()) if (other.metadata.uid !== pod.metadata.uid) used += requestedBy(other, name);
    if (used + wanted <= capacity) continue;
    const message = `Node didn't have enough resource: ${name}, requested: ${wanted}, used: ${used}, capacity: ${capacity}`;
    return { type: "PodResizePending", reason: "Deferred", message };
  }
  return undefined;
}
