import { defineCommand } from "../command.ts";
import { bool, filter } from "../flags/flag.ts";
import { formatRows } from "../format/list-writer.ts";
import { naturalCompare } from "../format/natural-order.ts";
import { type ListedNetwork, networkFormat, networkRow } from "../format/network-row.ts";
import { chooseFormat, filterQuery, formatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List networks",
  flags: {
    filter: filter('Provide filter values (e.g. "driver=bridge")'),
    format: formatFlag,
    "no-trunc": bool("Do not truncate the output"),
    quiet: bool("Only display network IDs", { short: "q" }),
  },
  async run(context, { flags }) {
    const networks = await context.api.json<readonly ListedNetwork[]>("GET", "/networks", {
      query: { filters: filterQuery(flags.filter) },
    });
    const format = await chooseFormat(context, flags.format, "networksFormat", flags.quiet);
    const sorted = networks.toSorted((a, b) => naturalCompare(a.Name, b.Name));
    const view = { truncate: !flags["no-trunc"], now: Date.now() };
    context.stdout.write(formatRows(networkRow, sorted, networkFormat(format, flags.quiet), view));
  },
});
