import { openCgroup } from "@boxship/kernel";
import { removeContainer } from "../container/container-remove.ts";
import { stopContainer } from "../container/container-stop.ts";
import type { ContainerRecord } from "../container/record.ts";
import type { EngineContext } from "../context.ts";
import { isPodHeld, podMounts, releasePodMounts } from "./pod-namespaces.ts";
import { hasHeldProcesses, releaseStrayProcesses } from "./pod-processes.ts";
import type { PodRecord } from "./record.ts";

/** Containers of a pod, running or not. */
export function containersOf({ containers }: EngineContext, podId: string): readonly ContainerRecord[] {
  return containers.all().filter(({ hostConfig }) => hostConfig.pod === podId);
}

/** Kills what still runs in a pod and gives its addresses and ports back; its containers stay. Idempotent. */
export async function stopPod(context: EngineContext, ref: string): Promise<void> {
  const { id } = context.pods.resolve(ref);
  await Promise.all(containersOf(context, id).map((one) => stopContainer(context, one.id, { timeout: 0 })));
  await context.locks.run(`pod ${id}`, () => releaseLocked(context, id));
}

async function releaseLocked(context: EngineContext, id: string): Promise<void> {
  await context.network.removeSandbox(id);
  await releasePodMounts(context, id);
  const record = context.pods.get(id);
  if (record?.state === "ready") await context.pods.note({ ...record, state: "stopped", addresses: [] });
}

/** Stops a pod and removes it with its containers. One that is gone already is no error. */
export async function removePod(context: EngineContext, ref: string): Promise<void> {
  const record = context.pods.resolve(ref);
  const { id } = record;
  await Promise.all(
    containersOf(context, id).map((one) => removeContainer(context, one.id, { force: true, volumes: true })),
  );
  await context.locks.run(`pod ${id}`, async () => {
    if (context.pods.get(id) === undefined) return;
    await releaseLocked(context, id);
    // Containers are cleaned up behind the answer; their group goes with the last of them.
    context.background.run(`removal of the control group of pod ${id}`, () => removeGroup(context, record));
    await context.pods.delete(id);
  });
}

async function removeGroup(context: EngineContext, { id, request }: PodRecord): Promise<void> {
  const { cgroupParent } = request;
  // Another's group is another's.
  if (cgroupParent === undefined || !cgroupParent.startsWith(`/${context.options.name}/`)) return;
  if (context.pods.all().some((pod) => pod.id !== id && pod.request.cgroupParent === cgroupParent)) return;
  await openCgroup(cgroupParent).delete();
}

/** After the engine was away: pods whose namespaces are gone have stopped, and what is mounted for no pod goes. */
export async function restorePods(context: EngineContext, mounted: readonly string[]): Promise<void> {
  const sandboxes = new Set(context.network.listSandboxes().map(({ id }) => id));
  for (const record of context.pods.all()) {
    if (record.state !== "ready") continue;
    const { network, ipc } = record.request;
    const isThere = (network === "host" || sandboxes.has(record.id)) && (ipc === "host" || mounted.includes(record.id));
    if (!isThere || !isPodHeld(context, record)) await stopPod(context, record.id);
  }
  const { root, runDir } = context.options;
  if (hasHeldProcesses(root)) {
    releaseStrayProcesses(podMounts(runDir), new Set(context.pods.all().map(({ id }) => id)));
  }
  for (const id of mounted) if (context.pods.get(id)?.state !== "ready") await releasePodMounts(context, id);
}
