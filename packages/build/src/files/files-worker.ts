import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks } from "@boxship/base/worker-pool";
import { placeMounts, takeBack } from "../confined/placed-mounts.ts";
import { clampTimes } from "./clamp-times.ts";
import { copySelection } from "./copy-selection.ts";
import { digestSelection } from "./digest-selection.ts";
import { makeDirectories } from "./directories.ts";
import type { FilesTask } from "./files.ts";
import { dropUnchanged, findStubs, removeStubs } from "./mount-stubs.ts";
import { openTree } from "./selection.ts";

serveTasks((task: FilesTask, context) => {
  const checkpoint = () => context.throwIfCancelled();
  switch (task.kind) {
    case "digest":
      return digestSelection(task.selection, task.options, checkpoint);
    case "copy":
      return copySelection(task.request, checkpoint);
    case "make-directory": {
      using root = openTree(task.root);
      makeDirectories(root, task.path, task.owner)[Symbol.dispose]();
      return undefined;
    }
    case "find-stubs":
      return findStubs(task.root, task.mountPoints);
    case "remove-stubs":
      removeStubs(task.root, task.stubs);
      return undefined;
    case "drop-unchanged":
      dropUnchanged(task.upper, task.lowers, task.paths);
      return undefined;
    case "clamp-times":
      clampTimes(task.directory, task.latest);
      return undefined;
    case "place":
      return placeMounts(task.root, task.aside, task.mounts);
    case "take-back":
      takeBack(task.root, task.aside, task.placed);
      return undefined;
    default:
      throw new InvalidArgument(`there is no task ${JSON.stringify(task)}`);
  }
});
