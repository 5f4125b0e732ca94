import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import { CurrentDirectory, OpenFlag, openat, syncfs } from "@boxship/kernel";
import type { StorageTask } from "./storage-pool.ts";
import { copyTree } from "./tree/copy-tree.ts";
import { explainDiskError } from "./tree/disk-error.ts";
import { emptyDirectory } from "./tree/remove-tree.ts";
import { treeUsage } from "./tree/usage.ts";

serveTasks((task: StorageTask) => {
  const directory = task.kind === "copy" ? task.request.target : task.directory;
  try {
    return run(task);
  } catch (error) {
    throw explainDiskError(error, directory);
  }
});

function run(task: StorageTask): unknown {
  switch (task.kind) {
    case "empty":
      emptyDirectory(task.directory);
      return undefined;
    case "usage":
      return treeUsage(task.directory);
    case "copy":
      return copyTree(task.request);
    case "sync": {
      using fd = openat(CurrentDirectory, task.directory, OpenFlag.ReadOnly | OpenFlag.Directory);
      syncfs(fd);
      return undefined;
    }
    default:
      throw new InvalidArgument(`there is no storage task ${JSON.stringify(task)}`);
  }
}
