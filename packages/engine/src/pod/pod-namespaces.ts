import { existsSync, mkdirSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import {
  bindNamespace,
  createNamespace,
  createOwnedNamespace,
  isMountPoint,
  MountFlag,
  mount,
  releaseMount,
  unbindNamespace,
} from "@boxship/kernel";
import type { EngineContext } from "../context.ts";
import type { Remap } from "../remap/remap.ts";
import { areProcessesHeld, holdProcesses, processesPath, releaseProcesses } from "./pod-processes.ts";
import { releasePodUsers } from "./pod-users.ts";
import type { PodRecord } from "./record.ts";

const DEFAULT_SHARED_MEMORY = 64 << 20;

/** Below it, for each pod, a directory with its IPC namespace and its shared memory. A runtime sees what is mounted there. */
export function podMounts(runDir: string): string {
  return join(runDir, "pods");
}

/** The file that holds a pod's IPC namespace. */
export function podIpcPath({ options }: EngineContext, id: string): string {
  return join(podMounts(options.runDir), id, "ipc");
}

/** Where a pod's `/dev/shm` is mounted on the host. */
export function podSharedMemoryPath({ options }: EngineContext, id: string): string {
  return join(podMounts(options.runDir), id, "shm");
}

/** The file that holds the process namespace of a pod whose containers share one. */
export function podProcessesPath({ options }: EngineContext, id: string): string {
  return processesPath(join(podMounts(options.runDir), id));
}

/** Whether a pod that was made still has what its containers share, but for its network. */
export function isPodHeld({ options }: EngineContext, { id, request }: Pick<PodRecord, "id" | "request">): boolean {
  return request.pid !== "pod" || areProcessesHeld(join(podMounts(options.runDir), id));
}

/**
 * Makes what a pod's containers share beside the network; it stays until {@link releasePodMounts}.
 *
 * @param users its user namespace, if it has one, which then has all that is made here
 */
export async function mountPod(
  context: EngineContext,
  { id, request }: Pick<PodRecord, "id" | "request">,
  users?: Remap,
): Promise<void> {
  if (request.pid === "pod") {
    const directory = join(podMounts(context.options.runDir), id);
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    await holdProcesses(context, directory, users?.path);
  }
  if (request.ipc === "host") return;
  const shm = podSharedMemoryPath(context, id);
  mkdirSync(shm, { recursive: true, mode: 0o711 });
  using namespace = users === undefined ? createNamespace("ipc") : await createOwnedNamespace("ipc", users.path);
  bindNamespace(namespace, podIpcPath(context, id));
  const flags = MountFlag.NoSuid | MountFlag.NoDev | MountFlag.NoExec;
  const size = request.sharedMemory ?? DEFAULT_SHARED_MEMORY;
  const { uid, gid } = users?.root ?? { uid: 0, gid: 0 };
  mount({ source: "shm", target: shm, type: "tmpfs", flags, data: `mode=1777,uid=${uid},gid=${gid},size=${size}` });
}

/** Idempotent. */
export async function releasePodMounts(context: EngineContext, id: string): Promise<void> {
  const shm = podSharedMemoryPath(context, id);
  const ipc = podIpcPath(context, id);
  try {
    while (isMountPoint(shm)) await releaseMount(shm);
    await rmdir(shm);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  if (existsSync(ipc)) unbindNamespace(ipc);
  releaseProcesses(join(podMounts(context.options.runDir), id));
  await releasePodUsers(context, id);
  await rmdir(join(podMounts(context.options.runDir), id)).catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
}

/** Ids of pods something of which is mounted. */
export async function mountedPods({ options }: EngineContext): Promise<readonly string[]> {
  try {
    return await readdir(podMounts(options.runDir));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
