import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, bytes, filter, withoutShort } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";
import { confirm } from "../shared/confirm.ts";
import { filterQuery } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove build cache",
  flags: {
    all: bool("Remove all unused build cache, not just dangling ones", { short: "a" }),
    filter: withoutShort(filter('Provide filter values (e.g. "until=24h")')),
    force: bool("Do not prompt for confirmation", { short: "f" }),
    "keep-storage": bytes("Amount of disk space to keep for cache"),
  },
  async run(context, { flags }) {
    if (!flags.force) {
      const which = flags.all ? "all build cache" : "all dangling build cache";
      const question = `WARNING! This will remove ${which}.\nAre you sure you want to continue?`;
      await confirm(context, question, "builder prune has been cancelled");
    }
    const report = await context.api.json<{
      readonly CachesDeleted?: readonly string[] | null;
      readonly SpaceReclaimed: number;
    }>("POST", "/build/prune", {
      query: { all: flags.all, filters: filterQuery(flags.filter), "keep-storage": flags["keep-storage"] || undefined },
    });
    const deleted = report.CachesDeleted ?? [];
    if (deleted.length > 0) print(context, `Deleted build cache objects:\n${deleted.join("\n")}\n`);
    print(context, `Total reclaimed space: ${humanSize(report.SpaceReclaimed)}`);
  },
});
