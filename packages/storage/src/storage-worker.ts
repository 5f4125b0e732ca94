import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import {
  bindMount,
  CurrentDirectory,
  MountFlag,
  type MountRequest,
  mount,
  OpenFlag,
  openat,
  syncfs,
} from "@boxship/kernel";
import { attachContainerMount, detachContainerMount } from "./mount/container-mount.ts";
import type { StorageTask } from "./storage-pool.ts";
import { copyTree } from "./tree/copy-tree.ts";
import { explainDiskError } from "./tree/disk-error.ts";
import { emptyDirectory } from "./tree/remove-tree.ts";
import { treeUsage } from "./tree/usage.ts";

serveTasks((task: StorageTask) => {
  try {
    return run(task);
  } catch (error) {
    throw explainDiskError(error, directoryOf(task));
  }
});

function directoryOf(task: StorageTask): string {
  if (task.kind === "mount") return task.mount.target;
  if (task.kind === "attach") return task.mount.destination;
  if (task.kind === "detach") return task.destination;
  return task.kind === "copy" ? task.request.target : task.directory;
}

function run(task: StorageTask): unknown {
  switch (task.kind) {
    case "empty":
      emptyDirectory(task.directory);
      return undefined;
    case "usage":
      return treeUsage(task.directory);
    case "copy":
      return copyTree(task.request);
    case "mount":
      mountVolume(task.mount);
      return undefined;
    case "attach":
      attachContainerMount(task.mount);
      return undefined;
    case "detach":
      detachContainerMount(task.pid, task.destination);
      return undefined;
    case "sync": {
      using fd = openat(CurrentDirectory, task.directory, OpenFlag.ReadOnly | OpenFlag.Directory);
      syncfs(fd);
      return undefined;
    }
    default:
      throw new InvalidArgument(`there is no storage task ${JSON.stringify(task)}`);
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
