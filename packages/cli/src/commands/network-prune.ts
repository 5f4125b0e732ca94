import { defineCommand } from "../command.ts";
import { bool, filter, withoutShort } from "../flags/flag.ts";
import { confirm } from "../shared/confirm.ts";
import { printPruned, pruneNetworks } from "../shared/prune.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove all unused networks",
  flags: {
    filter: withoutShort(filter('Provide filter values (e.g. "until=<timestamp>")')),
    force: bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, { flags }) {
    if (!flags.force) {
      await confirm(
        context,
        "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?",
        "network prune has been cancelled",
      );
    }
    printPruned(context, await pruneNetworks(context, flags.filter), false);
  },
});
