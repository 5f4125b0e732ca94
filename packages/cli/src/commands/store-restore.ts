import { join, resolve } from "node:path";
import { copyStore, openChosenStore, openSnapshot, removeStore, restoreSqliteStore, sqlitePath } from "@boxship/store";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { currentStore, holdCluster, stateDirectory, tellOf } from "../shared/cluster-state.ts";

export const command = defineCommand({
  usage: "[OPTIONS] FILE",
  summary: "Make the state of a cluster that is down what a snapshot holds",
  flags: { force: bool("Do not refuse to replace what is in etcd", { short: "f" }) },
  operands: { min: 1, max: 1 },
  completes: "file",
  async run(context, { flags, operands: [file = ""] }) {
    const snapshot = resolve(file);
    const directory = stateDirectory(context.instance);
    using _held = holdCluster(directory);
    const choice = await currentStore(directory);
    if (choice.kind === "sqlite") {
      const { snapshotRevision, revision, replaced } = await restoreSqliteStore({
        snapshot,
        path: sqlitePath(directory),
      });
      print(context, `The state is that of revision ${snapshotRevision}; changes go on at ${revision + 1}`);
      if (replaced !== undefined) print(context, `What was there is kept as ${replaced}`);
      return;
    }
    if (!flags.force) {
      throw new Failure("everything in etcd would be replaced, and etcd keeps nothing of it", {
        remedy: "take a snapshot of it first, then add --force",
      });
    }
    // The file itself is only read.
    const copy = join(directory, "restoring.db");
    await using _copied = { [Symbol.asyncDispose]: () => removeStore(copy) };
    await using from = await openSnapshot(snapshot, copy);
    await using to = await openChosenStore(choice, directory);
    const { sourceRevision, revision } = await copyStore(from, to, { replace: true, onRaise: tellOf(context) });
    print(context, `The state is that of revision ${sourceRevision}; changes go on at ${revision + 1}`);
  },
});
