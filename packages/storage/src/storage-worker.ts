import { rmdirSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument, systemCode, Unsupported } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import {
  bindMount,
  CurrentDirectory,
  loopDeviceOf,
  MountFlag,
  type MountRequest,
  mount,
  OpenFlag,
  openat,
  syncfs,
} from "@boxship/kernel";
import { attachContainerMount, detachContainerMount } from "./mount/container-mount.ts";
import type { StorageTask } from "./storage-pool.ts";
import { assembleTree } from "./tree/assemble-tree.ts";
import { copyTree } from "./tree/copy-tree.ts";
import { explainDiskError } from "./tree/disk-error.ts";
import { rememberTree } from "./tree/tree-memory.ts";
import { treeUsage } from "./tree/usage.ts";
import { writeDifference } from "./tree/write-difference.ts";

serveTasks(async (task: StorageTask) => {
  try {
    return await run(task);
  } catch (error) {
    throw explainDiskError(error, directoryOf(task));
  }
});

function directoryOf(task: StorageTask): string {
  if (task.kind === "mount") return task.mount.target;
  if (task.kind === "mount-image") return task.target;
  if (task.kind === "attach") return task.mount.destination;
  if (task.kind === "detach") return task.destination;
  if (task.kind === "assemble") return task.target;
  if (task.kind === "remember") return task.tree;
  if (task.kind === "difference") return task.request.target;
  return task.kind === "copy" ? task.request.target : task.directory;
}

function run(task: StorageTask): unknown {
  switch (task.kind) {
    case "usage":
      return treeUsage(task.directory);
    case "copy":
      return copyTree(task.request);
    case "assemble":
      assembleTree(task.lowers, task.target);
      return undefined;
    case "remember":
      rememberTree(task.tree, task.file, BigInt(Date.now()) * 1_000_000n);
      return undefined;
    case "difference":
      writeDifference(task.request);
      return undefined;
    case "mount":
      mountVolume(task.mount);
      return undefined;
    case "attach":
      attachContainerMount(task.mount);
      return undefined;
    case "detach":
      detachContainerMount(task.pid, task.destination);
      return undefined;
    case "mount-image":
      return mountImage(task.image, task.target);
    case "sync": {
      using fd = openat(CurrentDirectory, task.directory, OpenFlag.ReadOnly | OpenFlag.Directory);
      syncfs(fd);
      return undefined;
    }
    default:
      throw new InvalidArgument(`there is no storage task ${JSON.stringify(task)}`);
  }
}

async function mountImage(image: string, target: string): Promise<void> {
  try {
    using device = await loopDeviceOf(image);
    mount({ source: device.path, target, type: "ext4", flags: 0, data: "" });
    removeLostAndFound(target);
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "EPERM" && code !== "EACCES" && code !== "ENODEV") throw error;
    throw new Unsupported(`limits of size need loop devices and ext4, and this host refuses: ${code}`);
  }
}

/** The place for what is found after a crash: programs expect an empty directory. Checks make it again. */
function removeLostAndFound(directory: string): void {
  try {
    rmdirSync(join(directory, "lost+found"));
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENOTEMPTY" && code !== "ENOTDIR" && code !== "EROFS") throw error;
  }
}

function mountVolume({ source, target, type, flags, data }: Required<MountRequest>): void {
  if ((flags & MountFlag.Bind) === 0) {
    mount({ source, target, type, flags, data });
    return;
  }
  const recursive = (flags & MountFlag.Rec) !== 0;
  bindMount({ source, target, recursive, flags: flags & ~(MountFlag.Bind | MountFlag.Rec) });
}
