import { copyStore, describeStore, openChosenStore, writeStoreChoice } from "@boxship/store";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { currentStore, holdCluster, stateDirectory, tellOf } from "../shared/cluster-state.ts";
import { storeChoice, storeFlags } from "../shared/store-flags.ts";

const { store: _, ...etcdFlags } = storeFlags;

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Move the state of a cluster that is down into another store",
  flags: {
    ...etcdFlags,
    force: bool("Replace what the other store holds", { short: "f" }),
    to: text("Where to: sqlite or etcd", { hint: "kind", choices: ["sqlite", "etcd"] }),
  },
  async run(context, { flags }) {
    const directory = stateDirectory(context.instance);
    using _held = holdCluster(directory);
    const target = storeChoice({ ...flags, store: flags.to });
    if (target === undefined)
      throw new Failure("--to is missing", { remedy: "say where to: --to sqlite, or --to etcd" });
    const source = await currentStore(directory);
    if (source.kind === target.kind) throw new Failure(`the state is in ${describeStore(source)} already`);
    {
      await using from = await openChosenStore(source, directory);
      await using to = await openChosenStore(target, directory);
      const { keys, sourceRevision, revision } = await copyStore(from, to, {
        replace: flags.force,
        onRaise: tellOf(context),
      });
      print(
        context,
        `${keys} keys of revision ${sourceRevision} are in ${describeStore(target)} now, at revision ${revision}`,
      );
    }
    // From here on it is the other one.
    await writeStoreChoice(directory, target);
    print(context, "Clients that watch are told to list again; what was in the old store stays there, unused");
  },
});
