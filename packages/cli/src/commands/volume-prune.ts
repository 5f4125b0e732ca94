import { defineCommand } from "../command.ts";
import { bool, filter, withoutShort } from "../flags/flag.ts";
import { confirm } from "../shared/confirm.ts";
import { printPruned, pruneVolumes } from "../shared/prune.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused local volumes",
  flags: {
    all: bool("Remove all unused volumes, not just anonymous ones", { short: "a" }),
    filter: withoutShort(filter('Provide filter values (e.g. "until=<timestamp>")')),
    force: bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, { flags }) {
    if (!flags.force) {
      await confirm(
        context,
        flags.all
          ? "WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want to continue?"
          : "WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you sure you want to continue?",
        "volume prune has been cancelled",
      );
    }
    printPruned(context, await pruneVolumes(context, flags.all ? { ...flags.filter, all: ["1"] } : flags.filter));
  },
});
