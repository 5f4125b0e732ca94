import { mkdirSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import { isMountPoint, MountFlag, mount, releaseMount } from "@boxship/kernel";
import type { EngineContext } from "../context.ts";
import type { Remap } from "../remap/remap.ts";
import type { HostConfig } from "./config.ts";
import type { ContainerRecord } from "./record.ts";

const DEFAULT_SIZE = 64 << 20;

/**
 * Where the `/dev/shm` of a container with a shareable IPC namespace is mounted on the host: a mount inside of another mount
 * namespace could not be bound into a second container.
 */
export function sharedMemoryPath(context: EngineContext, id: string): string {
  return join(context.options.runDir, "shm", id);
}

const isShareable = ({ ipcMode }: HostConfig): boolean => ipcMode === "shareable";

/** Mounts it for a container that is being started; `undo` takes it back. Without effect in other IPC modes. */
export function mountSharedMemory(
  context: EngineContext,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
  remap: Remap | undefined,
): void {
  if (!isShareable(record.hostConfig)) return;
  const target = sharedMemoryPath(context, record.id);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  undo.defer(() => releaseSharedMemory(context, record));
  const flags = MountFlag.NoSuid | MountFlag.NoDev | MountFlag.NoExec;
  const { uid, gid } = remap?.root ?? { uid: 0, gid: 0 };
  const data = `mode=1777,uid=${uid},gid=${gid},size=${record.hostConfig.shmSize || DEFAULT_SIZE}`;
  mount({ source: "shm", target, type: "tmpfs", flags, data });
}

/** Idempotent. */
export async function releaseSharedMemory(context: EngineContext, record: ContainerRecord): Promise<void> {
  if (!isShareable(record.hostConfig)) return;
  const target = sharedMemoryPath(context, record.id);
  try {
    while (isMountPoint(target)) await releaseMount(target);
    await rmdir(target);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
