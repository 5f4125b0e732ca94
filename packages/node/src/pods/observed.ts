import type { Container, ContainerStatus, Cri, PodSandboxStatus } from "@boxship/cri";
import { LABEL } from "../labels.ts";

/** What the engine has of one pod. */
export interface ObservedPod {
  /** The newest one first. */
  readonly sandboxes: readonly PodSandboxStatus[];
  /** By the container's name; the newest one first. */
  readonly containers: ReadonlyMap<string, readonly ObservedContainer[]>;
}

export interface ObservedContainer {
  readonly status: ContainerStatus;
  readonly sandboxId: string;
}

/** Looks at what the engine has of a pod. */
export async function observe(
  cri: Pick<Cri, "containerStatus" | "listContainers" | "listPodSandbox" | "podSandboxStatus">,
  podUid: string,
): Promise<ObservedPod> {
  const labelSelector = { [LABEL.podUid]: podUid };
  const [{ items }, { containers: listed }] = await Promise.all([
    cri.listPodSandbox({ filter: { labelSelector } }),
    cri.listContainers({ filter: { labelSelector } }),
  ]);
  const [sandboxes, statuses] = await Promise.all([
    Promise.all(items.map(({ id }) => cri.podSandboxStatus({ podSandboxId: id }))),
    Promise.all(listed.map(({ id }) => cri.containerStatus({ containerId: id }))),
  ]);
  const containers = new Map<string, ObservedContainer[]>();
  for (const [at, { status }] of statuses.entries()) {
    if (status === undefined) continue;
    const name = status.labels[LABEL.containerName] ?? "";
    const all = containers.get(name) ?? [];
    all.push({ status, sandboxId: (listed[at] as Container).podSandboxId });
    containers.set(name, all);
  }
  for (const all of containers.values()) all.sort((a, b) => attemptOf(b) - attemptOf(a));
  const known = sandboxes.flatMap(({ status }) => (status === undefined ? [] : [status]));
  return { sandboxes: known.sort((a, b) => (b.metadata?.attempt ?? 0) - (a.metadata?.attempt ?? 0)), containers };
}

export const attemptOf = ({ status }: ObservedContainer): number => status.metadata?.attempt ?? 0;
