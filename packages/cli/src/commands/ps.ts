import { defineCommand } from "../command.ts";
import { bool, filter, integer } from "../flags/flag.ts";
import { containerFormat, containerRow, emptyContainer, type ListedContainer } from "../format/container-row.ts";
import { columnsOf, formatRows } from "../format/list-writer.ts";
import { filterQuery, formatFlag, warnIgnoredFormat } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List containers",
  flags: {
    all: bool("Show all containers (default shows just running)", { short: "a" }),
    filter: filter(),
    format: formatFlag,
    last: integer("Show n last created containers (includes all states)", { short: "n", initial: -1 }),
    latest: bool("Show the latest created container (includes all states)", { short: "l" }),
    "no-trunc": bool("Don't truncate output"),
    quiet: bool("Only display container IDs", { short: "q" }),
    size: bool("Display total file sizes", { short: "s" }),
  },
  async run(context, { flags, changed }) {
    const view = { truncate: !flags["no-trunc"], now: Date.now() };
    if (flags.format !== "" && flags.quiet) warnIgnoredFormat(context);
    const format = flags.format || ((await context.config()).content.psFormat ?? "");
    let { size } = flags;
    if (format !== "" && format !== "raw") {
      // A template that shows sizes asks for them; measuring is too slow to do it for the others.
      const used = columnsOf(containerRow, emptyContainer, format, view);
      if (!flags.quiet && !changed.has("size") && used.has("Size") && format !== "json") size = true;
    }
    const limit = flags.latest && flags.last === -1 ? 1 : flags.last;
    const containers = await context.api.json<readonly ListedContainer[]>("GET", "/containers/json", {
      query: {
        all: flags.all,
        limit: limit > 0 ? limit : undefined,
        size,
        filters: filterQuery(flags.filter),
      },
    });
    context.stdout.write(formatRows(containerRow, containers, containerFormat(format, flags.quiet, size), view));
  },
});
