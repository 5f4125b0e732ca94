import { defineCommand } from "../command.ts";
import { bool, filter, withoutShort } from "../flags/flag.ts";
import { confirm } from "../shared/confirm.ts";
import { printPruned, pruneImages } from "../shared/prune.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused images",
  flags: {
    all: bool("Remove all unused images, not just dangling ones", { short: "a" }),
    filter: withoutShort(filter('Provide filter values (e.g. "until=<timestamp>")')),
    force: bool("Do not prompt for confirmation", { short: "f" }),
  },
  async run(context, { flags }) {
    if (!flags.force) {
      await confirm(
        context,
        flags.all
          ? "WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want to continue?"
          : "WARNING! This will remove all dangling images.\nAre you sure you want to continue?",
        "image prune has been cancelled",
      );
    }
    printPruned(context, await pruneImages(context, flags.filter, flags.all));
  },
});
