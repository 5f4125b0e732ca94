import { serveTasks } from "@boxship/base/worker-pool";
import { explainDiskError } from "./disk-error.ts";
import type { RemovalTask } from "./empty-directory.ts";
import { emptyDirectory } from "./remove-tree.ts";

serveTasks(({ directory, from }: RemovalTask, context) => {
  try {
    emptyDirectory(directory, { from, onEntry: () => context.throwIfCancelled() });
  } catch (error) {
    throw explainDiskError(error, directory);
  }
});
